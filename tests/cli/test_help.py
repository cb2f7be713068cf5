"""`--help` is fast: it loads click and nothing that a command needs."""

from __future__ import annotations

import subprocess
import sys
import time

import click
import pytest
from processes import Pipeline

from pipeline.cli.main import cli

LOADED = """
import sys
from pathlib import Path
before = set(sys.modules)
from pipeline.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    print("exit code", ended.code)
for name, module in sorted(sys.modules.items()):
    if name in before:
        continue  # of the environment itself
    if "site-packages" in Path(getattr(module, "__file__", None) or ".").parts:
        print("loaded", name.partition(".")[0])
    elif name.startswith("pipeline."):
        print("ours", name)
"""
# The modules of ours that `--help` may load.
OURS = {
    "pipeline.cli",
    "pipeline.cli.erase",
    "pipeline.cli.backup",
    "pipeline.cli.catalog",
    "pipeline.cli.export",
    "pipeline.cli.main",
    "pipeline.cli.partitions",
    "pipeline.cli.query",
    "pipeline.cli.rebuild",
    "pipeline.cli.rules",
    "pipeline.cli.span",
    "pipeline.cli.status",
    "pipeline.cli.stores",
    "pipeline.cli.topics",
    "pipeline.cli.trace",
    "pipeline.cli.verb",
    "pipeline.process",
    "pipeline.process.umask",
}


def verbs(group: click.Group, *before: str) -> list[tuple[str, ...]]:
    found = [before]
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            found += verbs(command, *before, name)
        else:
            found.append((*before, name))
    return found


def test_help_loads_nothing_but_click() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, "--help"], capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("loaded", "ours"))]
    assert "exit code 0" in done.stdout
    assert {line for line in lines if line.startswith("loaded")} == {"loaded click"}
    assert {line.split()[1] for line in lines if line.startswith("ours")} == OURS


@pytest.mark.parametrize("verb", verbs(cli), ids=" ".join)
def test_every_command_has_help(pipeline: Pipeline, verb: tuple[str, ...]) -> None:
    done = pipeline(*verb, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: pipeline {' '.join(verb)}".rstrip())
    assert len(done.stdout.splitlines()) >= 5


def best(*command: str) -> float:
    """The shortest of several runs, in seconds: other load only adds time."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        took.append(time.perf_counter() - began)
    return min(took)


def test_help_is_faster_than_loading_the_settings() -> None:
    assert best("-m", "pipeline", "--help") < best("-c", "import click, pydantic_settings")
