"""Names that are hashes: one way to make them, here and in `sql/recompute`."""

from __future__ import annotations

import hashlib

# 16 bytes tell contents apart as well as all 32 do.
FINGERPRINT_DIGITS = 32


def netstring(text: str) -> bytes:
    """`text` behind its length in bytes, so that no two lists of parts read the same."""
    data = text.encode()
    return b"%d:%s" % (len(data), data)


def key_of(data: bytes) -> bytes:
    """The first 16 bytes of SHA-256: a UUID in the warehouse."""
    return hashlib.sha256(data).digest()[:16]


def fingerprint_of(canonical: bytes) -> str:
    """Rule D1: the content of an event, as hexadecimal digits."""
    return hashlib.sha256(canonical).hexdigest()[:FINGERPRINT_DIGITS]


def device_key(device_id: str | None, session_id: str) -> str:
    """Rule I1: the device, or the session in its place."""
    return f"d:{device_id}" if device_id is not None else f"s:{session_id}"


def record_key(store_id: str, device: str) -> bytes:
    """The key of `beacons` and `outcomes`: one partition sees all of a device's events (I1)."""
    return netstring(store_id) + netstring(device)
