"""The record of `beacons` that erases a device (E1)."""

from __future__ import annotations

import msgspec

from pipeline.domain.events import Beacon, Request
from pipeline.domain.identity import record_key


def erasure(store_id: str, device_key: str, *, received_at: int) -> tuple[bytes, bytes]:
    """Key and value. Under the device's key it has its place among the records of the device.

    `received_at` is when it was asked for, in epoch ms.
    """
    beacon = Beacon(
        store_id=store_id,
        device_key=device_key,
        received_at=received_at,
        request=Request(),
        events=[],
        is_erasure=True,
    )
    return record_key(store_id, device_key), msgspec.json.encode(beacon)
