"""The wheel, installed with the lock of users and run away from the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
VERSIONS = ["3.11", "3.12", "3.13"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def interpreter(version: str) -> str | None:
    """A Python of that version that runs: ours, one on the PATH, or one of pyenv's."""
    if version == OURS:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *pyenv.glob(f"{version}.*/bin/python{version}")]
    for candidate in filter(None, found):
        # The shims of pyenv may have no interpreter behind them.
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode:
            continue
        return str(candidate)
    return None


def test_the_tested_python_versions_are_those_of_the_wheel() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(20) if f"3.{minor}.5" in allowed] == VERSIONS


def test_the_wheel_contains_every_file_that_the_package_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        inside = set(opened.namelist())
    for folder, place in {"pipeline": "pipeline", "sql": "pipeline/_sql"}.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"{place}/{path.relative_to(ROOT / folder).as_posix()}" in inside
    assert "pipeline/py.typed" in inside


@pytest.fixture(
    params=["newest", *(pytest.param(version, marks=pytest.mark.long) for version in VERSIONS)]
)
def programs(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of the commands of a fresh environment, in the newest Python that is here."""
    wanted = VERSIONS[::-1] if request.param == "newest" else [request.param]
    python = next(filter(None, map(interpreter, wanted)), None)
    if python is None:
        pytest.skip(f"no Python {request.param} on this machine")
    subprocess.run([python, "-m", "venv", tmp_path / "environment"], check=True)
    found = tmp_path / "environment" / "bin"
    pip = [found / "pip", "--disable-pip-version-check", "--quiet", "install"]
    lock = ["--require-hashes", "--only-binary=:all:", "-r", ROOT / "requirements.lock"]
    subprocess.run([*pip, *lock], check=True)
    subprocess.run([*pip, "--no-index", "--no-deps", wheel], check=True)
    yield found
    # Nearly 400 MB, which pytest would keep for three runs.
    shutil.rmtree(found.parent)


@pytest.mark.timeout(600)
def test_it_installs_and_runs_outside_the_repository(programs: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    # No Java, and no settings except the cache of jars.
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "PIPELINE_CACHE": str(tmp_path / "cache")}

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-e", "-c", line],
            cwd=away,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def said(line: str) -> str:
        done = run(line)
        assert done.returncode == 0, (line, done.stderr)
        return done.stdout

    # The bounds of the wheel hold for the pins of the lock.
    said("pip check")
    assert said("pipeline --version").split()[-1] == PROJECT["version"]
    said("pipeline traffic --devices 20 > traffic.ndjson")
    said("pipeline local traffic.ndjson --database traffic.duckdb")
    assert "broken" not in said("pipeline check --database traffic.duckdb")
    assert "kiosk" in said("pipeline query funnel --database traffic.duckdb")
    for part in ("ingest.server", "stream.worker", "warehouse.load.loader", "dashboard.server"):
        said(f"python -c 'import pipeline.{part}'")
    # The embedded Kafka is an extra.
    up = run("pipeline up")
    assert up.returncode == 1
    assert "pip install 'clickstream-pipeline[local]'" in up.stderr
    assert len(up.stderr.splitlines()) == 1
