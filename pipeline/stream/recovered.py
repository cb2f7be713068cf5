"""A partition's devices as the changelog holds them: per device, the highest origin counts."""

from __future__ import annotations

from collections.abc import Iterable, KeysView

import msgspec

from pipeline.domain.device import Device, decode

WRITER_BYTES = 16


class _Origin(msgspec.Struct, array_like=True):
    """Reads the first element of a device's state and skips the rest."""

    origin: int


_origin = msgspec.msgpack.Decoder(_Origin)


class Recovered:
    """States by device and writer, still encoded, because most devices are never seen again.

    For a (writer, device) key the latest record counts; among a device's writers the highest
    origin. A tombstone deletes its own key only. Only writers that begin with `mark` count: others
    wrote under rules that are no longer those of the partition.
    """

    mark = b""

    def __init__(self) -> None:
        self._values: dict[bytes, dict[bytes, bytes]] = {}
        self._writers: dict[bytes, tuple[bytes, ...]] = {}
        self.next_offset = 0

    def apply(self, key: bytes, value: bytes | None, *, offset: int) -> None:
        """Apply the next record of the changelog."""
        writer, device = key[:WRITER_BYTES], key[WRITER_BYTES:]
        self.next_offset = offset + 1
        if value is not None:
            self._values.setdefault(device, {})[writer] = value
        elif device in self._values:
            self._values[device].pop(writer, None)
            if not self._values[device]:
                del self._values[device]

    def device(self, key: bytes) -> Device | None:
        """Take out the device's state; None if the changelog holds none that counts."""
        values = self._values.pop(key, None)
        if values is None:
            return None
        self._writers[key] = tuple(values)
        ours = [value for writer, value in values.items() if writer.startswith(self.mark)]
        return decode(max(ours, key=_origin_of)) if ours else None

    def forget_writers(self, key: bytes) -> Iterable[bytes]:
        """Take out the writers whose keys hold a device that was taken out."""
        return self._writers.pop(key, ())

    def keys(self) -> KeysView[bytes]:
        """Devices that have not been taken out."""
        return self._values.keys()

    def __len__(self) -> int:
        return len(self._values)


def _origin_of(value: bytes) -> int:
    return _origin.decode(value).origin
