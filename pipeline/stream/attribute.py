"""Step three: clicks claim conversions, whichever of the two arrives first (A1-A6)."""

from __future__ import annotations

from pipeline.domain.attribution import Conversion, conversions_of, matched, touch_of
from pipeline.domain.device import Device
from pipeline.domain.events import Event


def attribute(
    device: Device, event: Event, *, is_bot: bool, lookback_ms: int
) -> list[tuple[Conversion, Conversion | None]]:
    """The conversions that `event` made or restated, each with the one it restates."""
    touch = touch_of(event)
    if touch is not None:
        device.touches = [*device.touches, touch]
        return _restate(device, touch.touched_at, lookback_ms=lookback_ms)
    made = [
        matched(conversion, device.touches, lookback_ms=lookback_ms)
        for conversion in conversions_of(event, is_bot=is_bot)
    ]
    if made:
        device.conversions = [*device.conversions, *made]
    return [(conversion, None) for conversion in made]


def _restate(
    device: Device, touched_at: int, *, lookback_ms: int
) -> list[tuple[Conversion, Conversion | None]]:
    """Rule A6: a touch that arrives after a conversion it precedes restates that conversion."""
    restated: list[tuple[Conversion, Conversion | None]] = []
    conversions: list[Conversion] = []
    for conversion in device.conversions:
        standing = conversion
        if conversion.occurred_at - lookback_ms <= touched_at <= conversion.occurred_at:
            standing = matched(conversion, device.touches, lookback_ms=lookback_ms)
            if standing != conversion:
                restated.append((standing, conversion))
        conversions.append(standing)
    if restated:
        device.conversions = conversions
    return restated
