"""How the processes of `up` are, in a file of the home: `up.json`, for `pipeline status`."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]  # it brings none

_NAME = "up.json"


class ProcessState(msgspec.Struct, frozen=True):
    """A process: whether it runs, how often it was restarted, and how it ended last (UTC).

    `starts_at` is when it is tried again (UTC), while it does not run.
    """

    name: str
    is_running: bool
    restarts: int = 0
    deaths_in_a_row: int = 0
    last_death: str = ""
    died_at: datetime | None = None
    starts_at: datetime | None = None


class ProcessRecord(msgspec.Struct, frozen=True):
    """Of `up` with the process id `pid`, which started at `started` (epoch seconds).

    `ended` says why it gave up.
    """

    pid: int
    started: float
    processes: list[ProcessState]
    ended: str = ""

    @classmethod
    def of_this_process(cls, processes: list[ProcessState], *, ended: str = "") -> ProcessRecord:
        """Of the caller."""
        return cls(os.getpid(), psutil.Process().create_time(), processes, ended)

    def record(self, home: Path) -> None:
        """Write the file. Raises OSError."""
        fresh = home / f"{_NAME}.new"
        fresh.write_bytes(msgspec.json.encode(self))
        fresh.replace(home / _NAME)

    @classmethod
    def recorded(cls, home: Path) -> ProcessRecord | None:
        """That of `home`, if its `up` is running or gave up; else None."""
        with suppress(FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            found = msgspec.json.decode((home / _NAME).read_bytes(), type=cls)
            return found if found.ended or found.is_running else None
        return None

    @property
    def is_running(self) -> bool:
        """Whether that `up` still runs, here."""
        with suppress(psutil.Error):
            return bool(abs(psutil.Process(self.pid).create_time() - self.started) < 1)
        return False

    def lines(self, now: datetime) -> list[str]:
        """As text: what has died, why, and when it is tried again; nothing if nothing has died."""
        said = [f"`pipeline up` gave up: {self.ended}"] if self.ended else []
        for each in self.processes:
            if each.last_death:
                at = f" at {each.died_at:%Y-%m-%d %H:%M:%S} UTC" if each.died_at else ""
                often = f"restarted {each.restarts} times{self._state(each, now)}"
                said.append(f"{each.name}: {often}; last{at}: {each.last_death}")
        return said

    def _state(self, process: ProcessState, now: datetime) -> str:
        if process.is_running:
            return ""
        if self.ended or process.starts_at is None:
            return ", and does not run"
        seconds = max(0, round((process.starts_at - now).total_seconds()))
        return f", and does not run; next try in {seconds} s"
