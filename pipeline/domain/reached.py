"""What a warehouse holds of a partition of `beacons`, from which workers can begin anew."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reached:
    """The records before offset `next_origin`; `stream_time` (T6, ms) is the one after them.

    `horizon` (ms) is the time before which an event was late by then (T7).
    """

    topic_id: str
    next_origin: int
    stream_time: int | None
    horizon: int | None


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """The event keys by which a repeat of a device's events is found (D2, D4).

    `keys` are as in `domain.device.Device`: (kept until, in ms; payload) by key.
    """

    partition: int
    store_id: str
    device_key: str
    keys: dict[bytes, tuple[int, bytes]]
