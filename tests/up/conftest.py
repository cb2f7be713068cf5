"""Runs `pipeline up` as a user does, in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from processes import FREE_PORTS, messages

from pipeline.config import Settings


@dataclass
class Run:
    """A running command and its output so far."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def output(self) -> str:
        return messages((self.folder / "output").read_text())

    @property
    def errors(self) -> str:
        return messages((self.folder / "errors").read_text())

    def family(self) -> list[psutil.Process]:
        """All its descendants."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, part: str) -> psutil.Process | None:
        """The descendant whose command contains `part`, such as `pipeline ingest`."""
        for process in self.family():
            with suppress(psutil.Error):  # it may end meanwhile
                if part in " ".join(process.cmdline()):
                    return process
        return None

    def end_all(self, number: int = signal.SIGINT, *, times: int = 1) -> list[psutil.Process]:
        """Stop it, expect exit code 0, and return the descendants that still run."""
        family = self.family()
        for _ in range(times):
            self.process.send_signal(number)
        assert self.process.wait(60) == 0, self.errors
        assert "Traceback" not in self.errors
        return still_there(family)


def still_there(family: list[psutil.Process]) -> list[psutil.Process]:
    """The processes that still run, without zombies."""
    _, alive = psutil.wait_procs(family, 1)
    return [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def start(tmp_path: Path, cache: Path) -> Iterator[Callable[..., Run]]:
    """Starts `pipeline ARGUMENTS…` with PIPELINE_HOME in the test's folder, on free ports."""
    runs: list[Run] = []

    def begin(*arguments: str, **settings: str) -> Run:
        folder = tmp_path / f"run{len(runs)}"
        folder.mkdir()
        given = {
            "home": str(tmp_path / "home"),
            "cache": str(cache),
            **FREE_PORTS,
            **settings,
        }
        with (folder / "output").open("wb") as output, (folder / "errors").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline", *arguments],
                env={**os.environ, **{f"PIPELINE_{k.upper()}": v for k, v in given.items()}},
                # Away from a developer's .env.
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                # The default of most systems, so that private files are our doing.
                umask=0o022,
            )
        runs.append(Run(process, folder))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            family = run.family()
            run.process.kill()
            run.process.wait()
            psutil.wait_procs(family, 60)


@pytest.fixture
def elsewhere(settings: Settings) -> dict[str, str]:
    """Settings for a running Kafka, with which `up` starts in two seconds."""
    return {
        "kafka_bootstrap_servers": settings.kafka_bootstrap_servers,
        "topic_prefix": settings.topic_prefix,
    }
