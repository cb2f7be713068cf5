"""Rows on their way into an empty store: sorted runs on disk, merged once all are there.

A store to which rows come in no order writes a page for each: with ten million devices some ten
times the bytes of a changelog. In order, each page is written once, and full.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct

from pipeline.stream.rows import Row

# Row, lengths of device key and state; a tombstone has the length `_NONE`.
_HEAD = Struct(">32sHI")
_NONE = 0xFFFFFFFF

_Entry = tuple[bytes, int, bytes, bytes | None]


@dataclass(slots=True)
class SortedRuns:
    """Runs of `most` bytes each in `folder`, which is deleted with `close`. Raises OSError."""

    folder: Path
    most: int
    _rows: dict[bytes, tuple[bytes, bytes | None]] = field(default_factory=dict)
    _bytes: int = 0
    _runs: list[Path] = field(default_factory=list)

    def add(self, row: bytes, key: bytes, state: bytes | None) -> None:
        """The next record of the changelog."""
        self._rows[row] = key, state
        self._bytes += _HEAD.size + len(key) + len(state or b"")
        if self._bytes >= self.most:
            self._spill()

    def merged(self) -> Iterator[Row]:
        """The last state of each row, in their order; those that are deleted are left out."""
        newest = ((row, -len(self._runs), *rest) for row, rest in sorted(self._rows.items()))
        # The newest run comes first among equal rows.
        runs = [_entries(path, -age) for age, path in enumerate(self._runs)]
        before = b""
        for row, _, key, state in heapq.merge(newest, *runs) if runs else newest:
            if row != before and state is not None:
                yield row, key, state
            before = row

    def close(self) -> None:
        """Delete them."""
        self._rows = {}
        for path in self._runs:
            path.unlink()
        self._runs = []

    def _spill(self) -> None:
        path = self.folder / f"run-{len(self._runs)}"
        with path.open("wb") as file:
            for row, (key, state) in sorted(self._rows.items()):
                length = _NONE if state is None else len(state)
                file.write(_HEAD.pack(row, len(key), length))
                file.write(key)
                file.write(state or b"")
        path.chmod(0o600)
        self._runs.append(path)
        self._rows, self._bytes = {}, 0


def _entries(path: Path, age: int) -> Iterator[_Entry]:
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            row, key, state = _HEAD.unpack(head)
            yield row, age, file.read(key), None if state == _NONE else file.read(state)
