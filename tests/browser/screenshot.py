"""Write docs/images: the dashboard over generated traffic. `make screenshot` runs it.

Traffic, days and windows are fixed, so a picture changes only when the page or the generator does.
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

FOLDER = Path(__file__).parents[2] / "docs" / "images"
# Width and height in CSS pixels; `dark` and `phone` are by the name.
PICTURES = {
    "dashboard.png": (1280, 1200),
    "dashboard-dark.png": (1280, 1200),
    "dashboard-phone.png": (390, 1500),
}
# Each seed is a week of its own, so the page has a week to compare with.
WEEKS = {7: "2026-03-08", 8: "2026-03-15"}
CHOICE = "?store=souk&days=7"


def screenshots(folder: Path, *, devices: int = 600) -> None:
    """Load generated traffic into a database, open the dashboard over it, save what it shows."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        settings = Settings(_env_file=None, home=home, dashboard_port=0)
        requests = home / "traffic.ndjson"
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
            browser = Browser(home / "browser")
            try:
                for file in PICTURES:
                    _take(browser, found[1] + CHOICE, folder / file)
            finally:
                browser.close()
        finally:
            dashboard.kill()


def _take(browser: Browser, url: str, file: Path) -> None:
    width, height = PICTURES[file.name]
    browser.scheme("dark" if "dark" in file.stem else "light")
    browser.phone(width, height)
    browser.open(url)
    later = "return document.querySelectorAll('[data-later]').length;"
    wait_for(lambda: browser.run(later) == 0)
    # The moment of the snapshot and its age differ each time.
    browser.run("document.querySelector('.age').textContent = 'Published 1 s ago';")
    browser.picture(file)


def _run(*arguments: str, output: int | None = None) -> None:
    subprocess.run([sys.executable, "-m", "pipeline", *arguments], stdout=output, check=True)


if __name__ == "__main__":
    screenshots(FOLDER)
    print(*(FOLDER / name for name in PICTURES), sep="\n")
