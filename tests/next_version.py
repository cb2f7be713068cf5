"""The wheel of a next version, built from this tree, and a pip that installs it from a folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = "0.2.0"


def built(folder: Path) -> Path:
    """`folder`/wheels with the wheel."""
    source = folder / "source"
    for name in ("pipeline", "sql"):
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=leave)
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    text = (ROOT / "pyproject.toml").read_text()
    assert text.count('\nversion = "0.1.0"\n') == 1
    (source / "pyproject.toml").write_text(text.replace('"0.1.0"', f'"{VERSION}"', 1))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "wheels"],
        cwd=source,
        capture_output=True,
        check=True,
    )
    return folder / "wheels"


def only_from(wheels: Path) -> dict[str, str]:
    """Variables with which pip takes ours from `wheels`, and nothing from the network."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_NO_DEPS": "1"}


def lend_dependencies(environment: Path) -> None:
    """Let a virtual environment use what is installed in this one: 400 MB, and no network.

    A folder that a `.pth` names comes after its own, and its own `.pth` are not followed.
    """
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
