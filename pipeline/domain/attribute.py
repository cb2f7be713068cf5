"""Step three: clicks claim conversions, whichever of the two arrives first (A1-A6)."""

from __future__ import annotations

from pipeline.domain.attribution import Conversion, Touch, conversions_of, touch_of
from pipeline.domain.device import Device
from pipeline.domain.events import Event


def attribute(device: Device, event: Event, *, is_bot: bool, lookback_ms: int) -> list[Conversion]:
    """The conversions that `event` made, or whose path it may have changed.

    Their paths are for the end of the record: hundreds of clicks would each go over all
    touches of each conversion.
    """
    touch = touch_of(event)
    if touch is not None:
        device.touches = [*device.touches, touch]
        # Rule A6: a touch that arrives after a conversion it precedes restates that conversion.
        return [
            conversion
            for conversion in device.conversions
            if conversion.occurred_at - lookback_ms <= touch.touched_at <= conversion.occurred_at
            and _may_claim(touch, conversion)
        ]
    made = conversions_of(event, is_bot=is_bot)
    if made:
        device.conversions = [*device.conversions, *made]
    return made


def _may_claim(touch: Touch, conversion: Conversion) -> bool:
    """Whether rule A4 looks at `touch` at all, for the time alone."""
    if conversion.attribution_token is None:
        return touch.product_id == conversion.product_id
    return touch.attribution_token == conversion.attribution_token
