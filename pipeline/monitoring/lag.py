"""How far a reader of Kafka is behind, in records and seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from pipeline.monitoring.metrics import Labels


@dataclass(slots=True)
class _Place:
    position: int | None = None
    end: int | None = None
    # Epoch seconds. What waits was written after each of the first two, where they are known.
    caught_up_at: float = 0.0
    read_until: float = 0.0
    behind_since: float = 0.0

    def look(self, now: float) -> None:
        """Note whether it has caught up."""
        if not self.behind:
            self.caught_up_at, self.behind_since = now, 0.0
        elif not self.behind_since:
            self.behind_since = now

    @property
    def since(self) -> float:
        """When the oldest record that waits was written, at the earliest."""
        return max(self.caught_up_at, self.read_until) or self.behind_since

    @property
    def behind(self) -> int:
        if self.position is None or self.end is None:
            return 0
        return max(0, self.end - self.position)


class Lag:
    """The lag of each place: a partition, or a topic and a partition. Any thread may call it.

    A place whose position or end is not known yet has no lag. `clock` returns epoch seconds, as
    Kafka's timestamps are.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._places: dict[Labels, _Place] = {}
        self._lock = Lock()

    def reached(self, place: Labels, position: int, written_at: float | None = None) -> None:
        """The offset to be read next; `written_at` is when the record before it was appended."""
        with self._lock:
            held = self._places.setdefault(place, _Place())
            # A commit that Kafka was asked for may be told after what was processed since.
            held.position = max(position, held.position or 0)
            if written_at is not None:
                held.read_until = max(held.read_until, written_at)
            if held.end is not None:
                held.look(self._clock())

    def ends(self, ends: Mapping[Labels, int]) -> None:
        """How far Kafka's log goes, by place."""
        with self._lock:
            now = self._clock()
            for place, end in ends.items():
                held = self._places.setdefault(place, _Place())
                held.end = end
                if held.position is not None:
                    held.look(now)

    def forget(self, place: Labels) -> None:
        """It is read by another process now."""
        with self._lock:
            self._places.pop(place, None)

    def records(self) -> dict[Labels, float]:
        """Records that are waiting, by place."""
        with self._lock:
            return {name: held.behind for name, held in self._known()}

    def described(self, *, is_current: bool) -> str:
        """All that waits, as text; if Kafka does not answer, what it was when Kafka last did."""
        total = f"{sum(self.records().values()):.0f} records"
        return total if is_current else f"{total} when Kafka last answered"

    def seconds(self) -> dict[Labels, float]:
        """For how long the oldest of them has waited, at most; 0 without any."""
        with self._lock:
            now = self._clock()
            return {
                name: max(0.0, now - held.since) if held.behind else 0.0
                for name, held in self._known()
            }

    def _known(self) -> list[tuple[Labels, _Place]]:
        return [(name, held) for name, held in self._places.items() if held.position is not None]
