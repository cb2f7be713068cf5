"""All that the stream remembers of one device, and what it may forget."""

from __future__ import annotations

import msgspec

from pipeline.domain.attribution import Conversion, Touch
from pipeline.domain.rules import Rules
from pipeline.domain.sessions import Session


class Device(msgspec.Struct, array_like=True):
    """One device's state. `origin` is the offset of the last record that is in it.

    `keys` maps an event key to (occurred_at in ms, payload), for D2 and D4.
    """

    origin: int = -1
    keys: dict[bytes, tuple[int, bytes]] = {}
    sessions: list[Session] = []
    touches: list[Touch] = []
    conversions: list[Conversion] = []

    def is_empty(self) -> bool:
        """True when nothing is left that a rule could ask for."""
        return not (self.keys or self.sessions or self.touches or self.conversions)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Device)


def encode(device: Device) -> bytes:
    """The changelog's value."""
    return _encoder.encode(device)


def decode(value: bytes) -> Device:
    """The device of a changelog's value. Raises msgspec.ValidationError on any other bytes."""
    return _decoder.decode(value)


def forget(device: Device, *, horizon: int, rules: Rules) -> None:
    """Drop what no event at or after `horizon` (stream time less lateness, ms) can need (D4)."""
    gap, lookback = rules.gap_ms, rules.lookback_ms
    if any(at < horizon for at, _ in device.keys.values()):
        device.keys = {key: kept for key, kept in device.keys.items() if kept[0] >= horizon}
    device.sessions = [s for s in device.sessions if s.ended_at + gap >= horizon]
    device.touches = [t for t in device.touches if t.touched_at + lookback >= horizon]
    device.conversions = [c for c in device.conversions if c.occurred_at >= horizon]
