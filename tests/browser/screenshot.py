"""Write docs/images/dashboard.png: the dashboard over generated traffic. `make screenshot` runs it.

Traffic, days and window are fixed, so the picture changes only when the page or the generator does.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
from processes import Verb, wait_for
from webdriver import Browser

from pipeline.config import Settings

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "dashboard.png"
WIDTH, HEIGHT = 1280, 1046
# Each seed is a week of its own, so the page has a week to compare with.
WEEKS = {7: "2026-03-08", 8: "2026-03-15"}
CHOICE = "?store=northwind&day=2026-03-14&days=7"


def screenshot(file: Path, *, devices: int = 600) -> None:
    """Load generated traffic into a database, open the dashboard over it, save what it shows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(_env_file=None, home=folder, dashboard_port=0)
        requests = folder / "traffic.ndjson"
        with requests.open("wb") as output:
            for seed, end in WEEKS.items():
                options = ["--seed", str(seed), "--devices", str(devices), "--end", end]
                _run("traffic", *options, output=output.fileno())
        _run("local", str(requests), "--database", str(settings.database))
        dashboard = Verb("dashboard", settings)
        try:
            wait_for(lambda: "dashboard: http" in dashboard.said())
            found = re.search(r"dashboard: (\S+)", dashboard.said())
            assert found is not None
            browser = Browser(folder / "browser")
            try:
                browser.resize(WIDTH, HEIGHT)
                browser.open(found[1] + CHOICE)
                browser.picture(file)
            finally:
                browser.close()
        finally:
            dashboard.kill()


def _run(*arguments: str, output: int | None = None) -> None:
    subprocess.run([sys.executable, "-m", "pipeline", *arguments], stdout=output, check=True)


if __name__ == "__main__":
    screenshot(PICTURE)
    print(PICTURE)
