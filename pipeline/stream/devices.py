"""A partition's devices: those in use decoded, within a bound; the others in a local store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from pipeline.domain.device import Device, decode, encode, needed_until
from pipeline.stream.local_state import LocalState, Meta, Rows
from pipeline.stream.rows import ERASED, WRITER_BYTES, Pair
from pipeline.stream.sorted_runs import SortedRuns

# Bytes that a decoded device takes: measured with 3, 12 and 36 events.
_DECODED_FACTOR, _DECODED_LEAST = 6, 1200
# Written together: a device that is busy changes several times before.
WRITE_BYTES = 4 * 1024 * 1024
_WRITE_SECONDS = 5
_MOST_RUN_BYTES, _RUNS_IN_MEMORY = 64 * 1024 * 1024, 8


class _Origin(msgspec.Struct, array_like=True):
    """Reads the first element of a device's state and skips the rest."""

    origin: int


_origin = msgspec.msgpack.Decoder(_Origin)


@dataclass(slots=True)
class _Decoded:
    """A device in memory: the writers of its rows, its bytes, and its states on their way."""

    device: Device
    writers: set[bytes]
    size: int
    sending: int = 0

    @classmethod
    def of(cls, rows: Rows, mark: bytes) -> _Decoded:
        """The row with the highest origin counts, of writers that begin with `mark`."""
        ours = [value for writer, value in rows.items() if writer.startswith(mark)]
        if not ours:
            return cls(Device(), set(rows), _DECODED_LEAST)
        value = max(ours, key=_origin_of)
        return cls(decode(value), set(rows), _decoded_bytes(value))


@dataclass(slots=True)
class Devices:
    """For a (writer, device) key the latest record of the changelog counts.

    What others wrote under rules that are no longer those of the partition does not: their
    `writer`s do not begin with `mark`. `memory` is how many bytes of devices stay decoded.
    The store is behind the changelog, never ahead: a state is written once Kafka has acknowledged
    it. Methods raise `lmdb.Error`.
    """

    store: LocalState
    writer: bytes
    memory: Callable[[], int]
    write_bytes: int = WRITE_BYTES
    mark: bytes = b""
    next_offset: int = field(init=False)
    """Of the changelog: what was before it is here."""
    _decoded: dict[bytes, _Decoded] = field(default_factory=dict)
    _decoded_bytes: int = 0
    _unwritten: dict[bytes, dict[bytes, bytes | None]] = field(default_factory=dict)
    _unwritten_bytes: int = 0
    _written_at: float = field(default_factory=time.monotonic)
    _removed: set[bytes] = field(default_factory=set)
    _runs: SortedRuns | None = None
    _is_contiguous: bool = True
    _has_erased: bool = False
    _indexed: bytes = b""
    _swept: bytes = b""

    def __post_init__(self) -> None:
        self.next_offset = self.store.meta.offset
        if self.store.is_new:
            most = min(_MOST_RUN_BYTES, max(self.write_bytes, self.memory() // _RUNS_IN_MEMORY))
            self._runs = SortedRuns(self.store.folder, most)

    # Recovery

    @property
    def is_new(self) -> bool:
        """Whether its store has nothing yet of what was read: then it is not touched."""
        return self._runs is not None

    def apply(self, pairs: Iterable[Pair], *, following: int) -> None:
        """Apply the next records of the changelog, all those before the offset `following`."""
        if self._runs is not None:
            self._runs.add(pairs)
            self.next_offset = following
            return
        for key, value in pairs:
            self._remember(key, value)
        self.next_offset = following
        if self._unwritten_bytes > self.write_bytes:
            self.finish_recovery()

    def finish_recovery(self) -> None:
        """Write what was read."""
        runs, self._runs = self._runs, None
        if runs is not None:
            if self.next_offset:
                self.store.append(runs.merged(), self._meta())
            runs.close()
        if self._unwritten:
            self.store.write_unindexed(self._unwritten, self._meta())
            self._forget_unwritten()
        self._erase()

    # Batches

    def get(self, key: bytes) -> Device:
        """The device with the record key `key`, an empty one if it is new. It may be changed."""
        held = self._decoded.pop(key, None)
        if held is None:
            held = self._load(key)
            self._decoded_bytes += held.size
        self._decoded[key] = held  # the last to leave memory
        return held.device

    def put(self, key: bytes) -> tuple[Pair, list[Pair]]:
        """The record of a device that was changed, and the tombstones of other writers' keys.

        The tombstones may follow once the record is acknowledged.
        """
        held = self._decoded[key]
        value = encode(held.device)
        others = _tombstones(key, held.writers - {self.writer})
        self._decoded_bytes -= held.size
        held.writers, held.size = {self.writer}, _decoded_bytes(value)
        self._decoded_bytes += held.size
        held.sending += 1
        self._removed.discard(key)
        return (self.writer + key, value), others

    def expired(self, horizon: int, *, committed: int, count: int) -> list[Pair]:
        """Tombstones of devices of which nothing is needed at `horizon` (ms), among `count`.

        Records from offset `committed` on may be read again, with the state before them.
        """
        if self.store.meta.has_unindexed:
            self._indexed = self.store.index_some(self._indexed, count)
        keys, self._swept = self.store.due(horizon, self._swept, count)
        pairs: list[Pair] = []
        for key in keys:
            if key in self._removed or key in self._unwritten:
                continue
            held = self._decoded.get(key) or self._load(key)
            if held.sending or held.device.origin >= committed:
                continue
            until = needed_until(held.device, self.store.rules)
            if until is not None and until >= horizon:
                continue
            pairs += _tombstones(key, held.writers)
            self._removed.add(key)
            if self._decoded.pop(key, None) is not None:
                self._decoded_bytes -= held.size
        return pairs

    def acknowledged(self, pairs: Iterable[Pair], span: tuple[int, int] | None) -> None:
        """Kafka has the records `pairs`, at the offsets from and up to those in `span`.

        `span` is None if they are not neighbours. Where another worker wrote between ours, the
        next recovery begins.
        """
        for key, value in pairs:
            self._remember(key, value)
            if value is not None and key != ERASED:
                self._decoded[key[WRITER_BYTES:]].sending -= 1
        self._is_contiguous &= span is not None and span[0] == self.next_offset
        if self._is_contiguous and span is not None:
            self.next_offset = span[1]
        if self._unwritten_bytes >= self.write_bytes or self._has_erased:
            self.write()
        else:
            self.write_due()

    def shrink(self) -> None:
        """Let the devices that were idle longest leave memory, down to the bound."""
        memory = self.memory()
        while self._decoded_bytes > memory:
            key, held = next(iter(self._decoded.items()))
            if held.sending:
                break
            del self._decoded[key]
            self._decoded_bytes -= held.size

    def write_due(self) -> None:
        """The same as `write`, unless that was a moment ago."""
        if time.monotonic() - self._written_at > _WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        """Write to the store what Kafka has acknowledged."""
        if self._unwritten:
            self.store.write(self._unwritten, self._meta())
            self._removed -= self._unwritten.keys()
            self._forget_unwritten()
        self._erase()
        self._written_at = time.monotonic()

    def close(self) -> None:
        """Write and sync: the partition is no longer ours."""
        self.finish_recovery()
        self.write()
        self.store.close()

    def _load(self, key: bytes) -> _Decoded:
        rows: dict[bytes, bytes | None] = {**self.store.read(key), **self._unwritten.get(key, {})}
        held = {writer: value for writer, value in rows.items() if value is not None}
        return _Decoded.of(held, self.mark)

    def _erase(self) -> None:
        if self._has_erased:
            self.store.erased()
            self._has_erased = False

    def _remember(self, key: bytes, value: bytes | None) -> None:
        if key == ERASED:
            self._has_erased = True
            return
        self._unwritten.setdefault(key[WRITER_BYTES:], {})[key[:WRITER_BYTES]] = value
        self._unwritten_bytes += len(key) + len(value or b"")

    def _forget_unwritten(self) -> None:
        self._unwritten = {}
        self._unwritten_bytes = 0

    def _meta(self) -> Meta:
        meta = self.store.meta
        if self._has_erased:  # so that a kill before the file is written again changes nothing
            meta = msgspec.structs.replace(meta, has_erased=True)
        if meta.offset == self.next_offset:
            return meta
        return msgspec.structs.replace(meta, offset=self.next_offset, moved_at=time.time())

    @property
    def memory_bytes(self) -> int:
        """What is decoded, and what is not yet written."""
        return self._decoded_bytes + self._unwritten_bytes

    def __len__(self) -> int:
        return len(self.store)


def _tombstones(key: bytes, writers: Iterable[bytes]) -> list[Pair]:
    return [(writer + key, None) for writer in sorted(writers)]


def _decoded_bytes(value: bytes) -> int:
    return _DECODED_LEAST + _DECODED_FACTOR * len(value)


def _origin_of(value: bytes) -> int:
    return _origin.decode(value).origin
