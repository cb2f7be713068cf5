"""What a warehouse holds of a partition of `beacons`, from which workers can begin anew."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reached:
    """The records before offset `next_origin`; `stream_time` (T6, ms) is the one after them.

    `next_origin` is None where none of them was loaded. Before `horizon` (ms) every event is late
    (T7): that of the partition that is furthest, because devices change their partition when their
    number grows.
    """

    topic_id: str
    next_origin: int | None
    stream_time: int | None
    horizon: int | None


def unread(reached: Collection[Reached]) -> Reached | None:
    """Of a partition without a loaded record, beside those that have `reached` something.

    Its devices may have been in any of them.
    """
    for one in reached:
        times = [each.stream_time for each in reached if each.stream_time is not None]
        return Reached(one.topic_id, None, max(times, default=None), one.horizon)
    return None


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """The event keys by which a repeat of a device's events is found (D2, D4).

    `keys` are as in `domain.device.Device`: (kept until, in ms; payload) by key.
    """

    store_id: str
    device_key: str
    keys: dict[bytes, tuple[int, bytes]]
