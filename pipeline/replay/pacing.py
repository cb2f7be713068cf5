"""Limits how far sending may run ahead of requests that are not answered yet."""

from __future__ import annotations

from datetime import timedelta

from pipeline.domain.timestamps import epoch_ms

# Far below any sensible lateness (T7): faster connections must not make history late.
WINDOW = timedelta(hours=1)
_MILLISECOND = timedelta(milliseconds=1)


class Pacing:
    """Divides a file into windows of event time; one is answered in full before the next begins.

    Events out of order in the file wait for nothing: they are behind the stream time of what was
    sent before. The window moves back with them, so one clock far ahead does not end the pacing.
    """

    def __init__(self, window: timedelta = WINDOW) -> None:
        self._window = window // _MILLISECOND
        self._begin: int | None = None

    def opens_window(self, timestamp: object) -> bool:
        """Whether an event of this `timestamp`, as on the wire, begins a new window.

        The first event does not, nor does one whose time cannot be parsed.
        """
        try:
            at = epoch_ms(timestamp)
        except ValueError:
            return False
        begin = self._begin
        if begin is not None and abs(at - begin) <= self._window:
            return False
        self._begin = at
        return begin is not None and at > begin
