"""Rows on their way into an empty store: runs on disk, merged once all are there.

A store to which rows come in no order writes a page for each: with ten million devices some ten
times the bytes of a changelog. In order, each page is written once, and full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import msgspec

from pipeline.stream.rows import ERASED, HASH_BYTES, HEADER, WRITER_BYTES, Pair, StoredRow

_FILE = "runs"
# By the first byte of their rows: what is merged at a time is a 256th of the partition, in memory.
_PARTS = 256
# What a record takes as objects, beside its state.
_OBJECT_BYTES = 180

_Place = tuple[int, int]
"""Offset and length in the file."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes | None]).decode


@dataclass(slots=True)
class SortedRuns:
    """Runs of `most` bytes of memory each, in a file that `close` deletes. Raises OSError.

    A run is sorted by the first byte of its rows alone: sorting the rest and removing what was
    overwritten is cheapest once, when all records of that byte are there.
    """

    folder: Path
    most: int
    _file: IO[bytes] = field(init=False)
    _parts: list[list[bytes | None]] = field(default_factory=lambda: [[] for _ in range(_PARTS)])
    """Of the run in memory: row, what is stored of it, row, and so on; None is a tombstone."""
    _places: list[list[_Place]] = field(default_factory=lambda: [[] for _ in range(_PARTS)])
    """By first byte, where the runs in the file have it, the oldest first."""
    _bytes: int = 0

    def __post_init__(self) -> None:
        self._file = (self.folder / _FILE).open("w+b")
        (self.folder / _FILE).chmod(0o600)

    def add(self, pairs: Iterable[Pair]) -> None:
        """The next records of the changelog."""
        # Names of its own, and rows written here: a call a record would cost more than the work.
        parts, header, taken = self._parts, HEADER.pack, self._bytes
        for key, state in pairs:
            if key == ERASED:  # a new store never had what was erased
                continue
            device = key[WRITER_BYTES:]
            row = blake2b(device, digest_size=HASH_BYTES).digest() + key[:WRITER_BYTES]
            stored = None
            if state is not None:
                content = device + state
                stored = header(0, len(device), crc32(content, len(device))) + content
            part = parts[row[0]]
            part.append(row)
            part.append(stored)
            taken += _OBJECT_BYTES + len(stored or b"")
            if taken >= self.most:
                self._spill()
                taken = 0
        self._bytes = taken

    def merged(self) -> Iterator[list[StoredRow]]:
        """The last state of each row, in their order; those that are deleted are left out."""
        for places, newest in zip(self._places, self._parts, strict=True):
            latest: dict[Any, bytes | None] = {}
            for place in places:
                run = self._read(*place)
                latest.update(zip(run[::2], run[1::2], strict=True))
            latest.update(zip(newest[::2], newest[1::2], strict=True))
            yield [(row, stored) for row, stored in sorted(latest.items()) if stored is not None]

    def close(self) -> None:
        """Delete them."""
        self._file.close()
        (self.folder / _FILE).unlink()

    def _spill(self) -> None:
        for places, part in zip(self._places, self._parts, strict=True):
            if part:
                run = _encode(part)
                places.append((self._file.tell(), len(run)))
                self._file.write(run)
                part.clear()

    def _read(self, offset: int, length: int) -> list[bytes | None]:
        self._file.seek(offset)
        return _decode(self._file.read(length))
