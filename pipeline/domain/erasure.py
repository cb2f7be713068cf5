"""The record of `beacons` that erases a device (E1), and what names one."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from pipeline.domain.events import Beacon, Request
from pipeline.domain.identity import record_key
from pipeline.domain.values import BadValueError, text_of


def erasure(
    store_id: str, device_key: str, *, received_at: int, customer: str | None = None
) -> tuple[bytes, bytes]:
    """Key and value. Under the device's key it has its place among the records of the device.

    `received_at` is when it was asked for, in epoch ms. With `customer` only events of that
    `customer_id` go (E3).
    """
    beacon = Beacon(
        store_id=store_id,
        device_key=device_key,
        received_at=received_at,
        request=Request(),
        events=[],
        is_erasure=True,
        erased_customer=customer,
    )
    return record_key(store_id, device_key), msgspec.json.encode(beacon)


def customer_key(customer_id: str) -> str:
    """Beside device keys (I1), of which none begins like this."""
    return f"c:{customer_id}"


def named_in(raw: str) -> list[str] | None:
    """The keys of the devices and the customer that a rejected event names; `raw` is its text.

    Whether its ids would have been accepted does not matter. None for what is no event.
    """
    try:
        event = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    found = []
    for prefix, name in (("d", "device_id"), ("s", "session_id"), ("c", "customer_id")):
        try:
            found.append(f"{prefix}:{text_of(event.get(name), most=None)[0]}")
        except BadValueError:
            continue  # no id
    return found


def known_in(raw: str, keys: Collection[str]) -> list[str]:
    """Which of `keys` a rejected event names; what is no event names those that it quotes."""
    named = named_in(raw)
    if named is None:
        return [key for key in keys if msgspec.json.encode(key[2:]).decode() in raw]
    return [key for key in named if key in keys]
