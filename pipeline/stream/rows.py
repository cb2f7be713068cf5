"""How a local store writes a device's state: its row, and the entry of the index by hour."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from zlib import crc32

WRITER_BYTES = 16
ERASED = b"\0" * WRITER_BYTES + b"erased"
"""Key of the record by which a changelog says that states before it were erased; no device's."""

HOUR_MS = 60 * 60 * 1000
HASH_BYTES = 16
# Before key and state: the hour under which it is indexed, 0 for none, the length of the key, and
# the checksum of both, as LMDB has none. Another header needs another `FORMAT`.
HEADER = Struct(">IHI")
FORMAT = 2
_HOUR = Struct(">I")

Pair = tuple[bytes, bytes | None]
"""Key and value of a record; None is a tombstone."""
StoredRow = tuple[bytes, bytes]
"""Under what it is, and what is stored there (`packed`)."""


class DamagedRowError(ValueError):
    """A stored row has other bytes than were written."""


def hashed(key: bytes) -> bytes:
    """What the rows of a device begin with."""
    # LMDB takes keys of up to 511 bytes.
    return blake2b(key, digest_size=HASH_BYTES).digest()


def row_of(key: bytes, writer: bytes) -> bytes:
    """Under what a store has the state of the device with the record key `key`, by `writer`."""
    return hashed(key) + writer


def packed(hour: int, key: bytes, state: bytes) -> bytes:
    """What is stored of a row: its hour, the device key and the state."""
    content = key + state
    return HEADER.pack(hour, len(key), crc32(content, len(key))) + content


def hour_in(value: bytes) -> int:
    """The hour under which a stored row is indexed; 0: it is not."""
    return int(HEADER.unpack_from(value)[0])


def key_in(value: bytes) -> bytes:
    """The device key of a stored row."""
    length = HEADER.unpack_from(value)[1]
    return value[HEADER.size : HEADER.size + length]


def state_in(value: bytes) -> bytes:
    """The state of a stored row. Raises `DamagedRowError`."""
    if len(value) < HEADER.size:
        raise DamagedRowError("a row is cut short")
    _, length, checksum = HEADER.unpack_from(value)
    content = value[HEADER.size :]
    if crc32(content, length) != checksum:
        raise DamagedRowError("a row is not what was written")
    return content[length:]


def entry_of(hour: int, row: bytes) -> bytes:
    """The entry of the index for a row."""
    return _HOUR.pack(hour) + row


def row_in(entry: bytes) -> bytes:
    """The row of an entry."""
    return entry[_HOUR.size :]


def is_after(entry: bytes, horizon: int) -> bool:
    """Whether its hour begins after `horizon` (ms)."""
    return int(_HOUR.unpack_from(entry)[0]) > max(0, horizon // HOUR_MS)
