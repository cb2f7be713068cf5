"""The units of `ops/systemd` are those of `pipeline up`, with settings that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from webdriver import needed

from pipeline.config import Settings
from pipeline.devstack.up import VERBS

UNITS = Path(__file__).parents[1] / "ops" / "systemd"
FILES = sorted([*UNITS.glob("*.service"), *UNITS.glob("*.target")])


def test_there_is_a_unit_for_each_process() -> None:
    started = [
        found
        for file in FILES
        for found in re.findall(
            r"^ExecStart=/opt/pipeline/current/bin/pipeline (\w+)$", file.read_text(), re.MULTILINE
        )
    ]
    assert sorted(started) == sorted(VERBS)


def test_every_setting_exists() -> None:
    known = {f"PIPELINE_{name.upper()}" for name in Settings.model_fields}
    for file in UNITS.iterdir():
        assert set(re.findall(r"PIPELINE_\w+(?==)", file.read_text())) <= known, file


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    analyze = needed("systemd-analyze", "apt-get install systemd")
    for file in FILES:
        text = file.read_text().replace("/opt/pipeline/current/bin/pipeline", "/bin/true")
        (tmp_path / file.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", *(str(tmp_path / file.name) for file in FILES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("file", sorted(UNITS.glob("*.service")), ids=lambda file: file.name)
def test_a_service_has_no_unneeded_rights(file: Path) -> None:
    text = file.read_text()
    for line in ("User=pipeline", "NoNewPrivileges=true", "ProtectSystem=strict", "UMask=0077"):
        assert f"\n{line}\n" in text
    assert "\nCapabilityBoundingSet=\n" in text
