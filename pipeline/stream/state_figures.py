"""What the state of a partition takes in a worker: figures in its folder, for others to read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pipeline.stream.local_state import LocalState

_FILE = "figures.json"
_EVERY_SECONDS = 5
# Those of a worker that was killed are left out then.
_FRESH_SECONDS = 60

Held = tuple[int, LocalState, int | None]
"""A partition, its store, and the bytes of it in memory; None in a standby."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one partition. `devices` are those in the local store, `memory_bytes` what is decoded.

    `records_per_second` is that of the worker's latest reading of changelogs, None before one.
    `written_at` is in seconds since 1970.
    """

    partition: int
    is_standby: bool
    devices: int
    memory_bytes: int
    disk_bytes: int
    records_per_second: float | None
    written_at: float


@dataclass(slots=True)
class ReadingRate:
    """Records a second of the reading of changelogs, by the wall clock, all partitions together.

    `per_second` is that of the latest reading of at least `least` records: fewer come at once.
    """

    per_second: float | None
    least: int = 10_000
    _records: int = 0
    _begun_at: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """What is read next is the first of another assignment."""
        self._records = 0

    def before(self) -> None:
        """Records are about to be applied."""
        if not self._records:
            self._begun_at = time.monotonic()

    def applied(self, records: int) -> None:
        """So many were."""
        self._records += records
        if self._records >= self.least:
            self.per_second = self._records / (time.monotonic() - self._begun_at)


async def write_regularly(held: Callable[[], Iterable[Held]], rate: ReadingRate) -> None:
    """Write the figures of what is `held`; it never returns. Raises OSError and `lmdb.Error`."""
    while True:
        for each in held():
            write(each, rate)
        await asyncio.sleep(_EVERY_SECONDS)


def write(held: Held, rate: ReadingRate) -> None:
    """Write the figures of a partition beside its store. Raises OSError and `lmdb.Error`."""
    partition, store, memory_bytes = held
    figures = Figures(
        partition=partition,
        is_standby=memory_bytes is None,
        devices=len(store),
        memory_bytes=memory_bytes or 0,
        disk_bytes=store.disk_bytes,
        records_per_second=rate.per_second,
        written_at=time.time(),
    )
    fresh = store.folder / f"{_FILE}.new"
    fresh.write_bytes(msgspec.json.encode(figures))
    fresh.replace(store.folder / _FILE)


def read_figures(home: Path) -> list[Figures]:
    """Those of the workers that run with `home`, by partition. Raises OSError."""
    now = time.time()
    fresh = [one for one in _written(home / "state") if now - one.written_at < _FRESH_SECONDS]
    return sorted(fresh, key=lambda one: (one.partition, one.is_standby))


def known_rate(folder: Path) -> float | None:
    """Records a second as figures in `folder` have it, the newest first. Raises OSError."""
    found = sorted(_written(folder), key=lambda one: one.written_at, reverse=True)
    return next((one.records_per_second for one in found if one.records_per_second), None)


def _written(folder: Path) -> Iterator[Figures]:
    for file in folder.glob(f"*-*/{_FILE}"):
        # Deleted, of another version, or damaged.
        with suppress(FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            yield msgspec.json.decode(file.read_bytes(), type=Figures)
