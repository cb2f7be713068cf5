"""Step one: has this device sent this event before? (D2-D4)."""

from __future__ import annotations

from pipeline.domain.device import Device
from pipeline.domain.duplicates import Kind, kind_of
from pipeline.domain.events import Event


def deduplicate(device: Device, key: bytes, event: Event, *, horizon: int) -> Kind | None:
    """How `event` repeats one that the device remembers, or None where it is the first.

    A key from before `horizon` counts as absent, whether it is still there or not (D4).
    """
    remembered = device.keys.get(key)
    if remembered is None or remembered[0] < horizon:
        return None
    return kind_of(remembered[1], event)
