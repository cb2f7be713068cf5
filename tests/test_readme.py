"""Every command of the README runs here as written, in a folder that looks like a fresh checkout.

A new `sh` block runs to its end and must succeed; only the two below need more than that.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil
import pytest
from processes import FREE_PORTS, wait_for

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [text for language, text in BLOCKS if language == "sh"]
DEMO, TEST = "make demo\n", "make test\n"
ADDRESS = "http://127.0.0.1:8080/"
# Ports that are free, where the README has the defaults.
FREE = {f"PIPELINE_{name.upper()}": port for name, port in FREE_PORTS.items()}


@dataclass(frozen=True)
class Demo:
    """A running `make demo` and the folder it was started in."""

    folder: Path
    output: Path

    @property
    def beacon_url(self) -> str:
        (url,) = re.findall(r"^Send beacons to (\S+)beacon$", self.output.read_text(), re.MULTILINE)
        return str(url)

    def run(self, block: str) -> str:
        """Run a block in bash, with the demo's own address; return what it prints.

        Variables last from block to block, as in a terminal.
        """
        block = block.replace(ADDRESS, self.beacon_url)
        script = f"set -a; touch .kept; . ./.kept\n{block}\nexport -p > .kept"
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],  # noqa: S607  # the user's own
            cwd=self.folder,
            env={**os.environ, **FREE},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def count(self, where: str) -> int:
        """Events in the snapshot."""
        with duckdb.connect(self.folder / "data" / "analytics.duckdb", read_only=True) as snapshot:
            ((count,),) = snapshot.execute(f"SELECT count(*) FROM events WHERE {where}").fetchall()
        return int(count)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(ROOT / name, folder)
    # What `make` would install is what runs this test.
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / "ready").touch()
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            DEMO.split(),
            cwd=folder,
            # The README shows a terminal.
            env={**os.environ, **FREE, "PIPELINE_LOG_FORMAT": "text"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        wait_for(lambda: "Ctrl-C stops everything" in output.read_text(), seconds=180)
        yield Demo(folder, output)
        family = psutil.Process(process.pid).children(recursive=True)
        # As a terminal sends Ctrl-C: to make and to all that it has started.
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
        assert psutil.wait_procs(family, 10)[1] == []
    finally:
        print(output.read_text())  # shown where the set-up fails
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def shape(text: str) -> list[str]:
    """Lines without their figures, and without the width of a column."""
    lines = re.sub(r"\d[\d.]*", "0", text).splitlines()
    return [re.sub(r"[ ━─]+", " ", line) for line in lines]


def test_the_demo_prints_what_the_readme_shows(demo: Demo) -> None:
    (shown,) = [text for _, text in BLOCKS if "$ pipeline query funnel" in text]
    printed = shape(demo.output.read_text())
    assert [line for line in shape(shown) if line not in printed] == []
    # Whatever else a start says comes before: the download, and ingest's JSON log.
    begin = shown.index("\nAll of it is in the snapshot")
    answer = shape(shown[begin:])
    assert printed[-len(answer) :] == answer


def test_make_test_is_what_ci_runs() -> None:
    assert TEST in COMMANDS
    assert f"\n{TEST}" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    "block",
    [block for block in COMMANDS if block not in (DEMO, TEST)],
    ids=lambda block: block.splitlines()[0][:50],
)
def test_the_block_runs_to_its_end(demo: Demo, block: str) -> None:
    printed = demo.run(block)
    if "/beacon " in block:
        wait_for(lambda: "HTTP/1.1 204" in printed or "HTTP/1.1 204" in demo.run(block))
        wait_for(lambda: demo.count("query = 'linen shirt' AND store_id = 'shop'") > 0, seconds=60)
    if "pipeline check" in block:
        assert "broken" not in printed
    if "pipeline query tokens" in block:
        assert "attribution_token" in printed


def test_the_sql_has_an_answer(demo: Demo) -> None:
    ((_, query),) = [block for block in BLOCKS if block[0] == "sql"]
    with duckdb.connect(demo.folder / "data" / "analytics.duckdb", read_only=True) as snapshot:
        assert len(snapshot.execute(query).fetchall()) > 1
