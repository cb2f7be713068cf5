"""Whether what ingest writes is processed and published: a crash loop behind it is seen here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.config import Settings
from pipeline.monitoring.kafka_ends import KafkaEnds
from pipeline.topics import topics

Ends = Mapping[tuple[str, ...], int]


class Downstream:
    """Compares how far `beacons` and `outcomes` go: each record of one has one in the other.

    The snapshot counts where this machine has it. `clock` returns seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        ours = topics(settings)
        self._timeout = settings.downstream_timeout.total_seconds()
        self._beacons, self._outcomes = ours.beacons.name, ours.outcomes.name
        self._snapshot = settings.database
        self._clock = clock
        # Of each partition, when its outcomes moved last: both ends.
        self._moved: dict[str, tuple[int, int]] = {}
        self._waiting_since: dict[str, float] = {}
        self._published: tuple[float | None, int] = (None, 0)
        self._unpublished_since: float | None = None
        self._kafka = KafkaEnds(settings, [ours.beacons, ours.outcomes], self.seen)

    def start(self) -> None:
        """Ask Kafka now and then, in a thread."""
        self._kafka.start()

    def stop(self) -> None:
        """Ask no more."""
        self._kafka.stop()

    def seen(self, ends: Ends) -> None:
        """How far the topics go now."""
        now = self._clock()
        outcomes = {place[1]: end for place, end in ends.items() if place[0] == self._outcomes}
        for partition, outcome_end in outcomes.items():
            beacon_end = ends[self._beacons, partition]
            before = self._moved.get(partition)
            if before is None or before[1] != outcome_end:
                self._moved[partition] = beacon_end, outcome_end
                self._waiting_since.pop(partition, None)
            elif beacon_end > before[0]:
                self._waiting_since.setdefault(partition, now)
        self._look_at_snapshot(sum(outcomes.values()), now)

    def _look_at_snapshot(self, outcomes: int, now: float) -> None:
        changed = _changed(self._snapshot)
        if changed is None:
            return  # it is on another machine, or was never there
        if changed != self._published[0]:
            # What came while it was made counts as published, too, until more comes: to count it as
            # waiting would call a shop stalled all night whose last snapshot holds everything.
            self._published, self._unpublished_since = (changed, outcomes), None
        elif outcomes > self._published[1] and self._unpublished_since is None:
            self._unpublished_since = now

    def stalled_seconds(self) -> float:
        """For how long nothing has moved behind what waits, at most; 0 if all moves."""
        since = [*list(self._waiting_since.values()), self._unpublished_since]
        known = [each for each in since if each is not None]
        return self._clock() - min(known) if known else 0.0

    def problem(self) -> str:
        """What has not moved for as long as the setting allows; empty if all moves."""
        now = self._clock()
        if not self._timeout:
            return ""
        stuck = sorted(
            (partition, now - since)
            for partition, since in list(self._waiting_since.items())
            if now - since > self._timeout
        )
        if stuck:
            longest = max(seconds for _, seconds in stuck)
            numbers = ", ".join(partition for partition, _ in stuck)
            named = "partition" if len(stuck) == 1 else "partitions"
            return f"beacons of {named} {numbers} have had no outcome for {longest:.0f} s"
        since = self._unpublished_since
        if since is not None and now - since > self._timeout:
            return f"outcomes have not been published for {now - since:.0f} s"
        return ""


def _changed(path: Path) -> float | None:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return None
