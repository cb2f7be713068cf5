"""Runs the command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked import Forked
from forked import forked as opened
from processes import FREE_PORTS, Pipeline


@pytest.fixture(scope="session")
def forked() -> Iterator[Forked]:
    """Runs commands as processes, and quickly."""
    with opened() as ready:
        yield ready


@pytest.fixture
def pipeline(tmp_path: Path, forked: Forked) -> Pipeline:
    """Runs `pipeline ARGUMENTS…` in the test's folder, with PIPELINE_ settings as keywords.

    `patience`: seconds to wait for a Kafka that is away, if not those of a user.
    """

    def run(
        *arguments: str, stdin: str = "", patience: float | None = None, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        given = {"home": str(tmp_path / "home"), **FREE_PORTS, **settings}
        variables = {f"PIPELINE_{name.upper()}": value for name, value in given.items()}
        return forked.run(
            *arguments,
            cwd=tmp_path,
            environment={**os.environ, **variables},
            stdin=stdin,
            patience=patience,
        )

    return run
