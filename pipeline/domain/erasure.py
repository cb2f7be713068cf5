"""The record of `beacons` that erases a device (E1), and what names one."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from pipeline.domain.events import Beacon, Request
from pipeline.domain.identity import record_key
from pipeline.domain.values import BadValueError, text_of


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


def devices_named(raw: str) -> list[str] | None:
    """The keys (I1) of the devices that a rejected event may be of; `raw` is what was sent of it.

    Whether its ids would have been accepted does not matter. None for what is no event.
    """
    try:
        event = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    found = []
    for prefix, name in (("d", "device_id"), ("s", "session_id")):
        try:
            found.append(f"{prefix}:{text_of(event.get(name), most=None)[0]}")
        except BadValueError:
            continue  # no id
    return found


def devices_of(raw: str, devices: Collection[str]) -> list[str]:
    """Which of `devices` a rejected event is of; what is no event is of those that it quotes."""
    named = devices_named(raw)
    if named is None:
        return [key for key in devices if msgspec.json.encode(key[2:]).decode() in raw]
    return [key for key in named if key in devices]
