"""How far a file's events may run ahead of requests that are not answered yet."""

from __future__ import annotations

from datetime import timedelta

from pipeline.domain.timestamps import epoch_ms

# Far below any sensible lateness (T7): lanes of different speed must not make history late.
WINDOW = timedelta(hours=1)
_MILLISECOND = timedelta(milliseconds=1)


class Pacing:
    """Cuts a file into windows of event time; all of one is answered before the next begins.

    What is out of order in the file itself stays as it is, and waits for nothing: it is behind the
    stream time of what was sent before it. The window moves back with it, so one clock far ahead
    does not end the pacing.
    """

    def __init__(self, window: timedelta = WINDOW) -> None:
        self._window = window // _MILLISECOND
        self._begin: int | None = None

    def begins_anew(self, timestamp: object) -> bool:
        """Whether an event of this `timestamp`, as on the wire, opens another window.

        The first event opens none, and neither does one whose time cannot be read.
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
