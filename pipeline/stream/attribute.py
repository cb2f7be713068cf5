"""Step three: clicks claim conversions, whichever of the two arrives first (A1-A6)."""

from __future__ import annotations

from pipeline.domain.attribution import (
    Attribution,
    Conversion,
    attribution_of,
    conversions_of,
    touch_of,
)
from pipeline.domain.device import Device
from pipeline.domain.events import Event


def attribute(
    device: Device, event: Event, *, is_bot: bool, lookback_ms: int
) -> list[tuple[Conversion, Attribution]]:
    """The conversions that `event` made, or whose path it changed."""
    touch = touch_of(event)
    if touch is not None:
        before, device.touches = device.touches, [*device.touches, touch]
        # Rule A6: a touch that arrives after a conversion it precedes restates that conversion.
        restated = []
        for conversion in device.conversions:
            if conversion.occurred_at - lookback_ms <= touch.touched_at <= conversion.occurred_at:
                old = attribution_of(conversion, before, lookback_ms=lookback_ms)
                new = attribution_of(conversion, device.touches, lookback_ms=lookback_ms)
                if new != old:
                    restated.append((conversion, new))
        return restated
    made = conversions_of(event, is_bot=is_bot)
    if made:
        device.conversions = [*device.conversions, *made]
    return [
        (conversion, attribution_of(conversion, device.touches, lookback_ms=lookback_ms))
        for conversion in made
    ]
