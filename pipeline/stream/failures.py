"""When too many events fail, it is the code that is broken, and the worker must not go on."""

from __future__ import annotations

from collections import deque

from pipeline.stream.checkpoint import StateError

# Fewer events than this say nothing about the code.
LEAST_EVENTS = 1_000


class Failures:
    """The share of failed events among the latest ones."""

    def __init__(self, most: float, *, window: int = 10_000) -> None:
        self._most = most
        self._window = window
        self._runs: deque[tuple[int, int]] = deque()
        self._events = self._failed = 0

    def count(self, *, events: int, failed: int) -> None:
        """Add a run, before its outcomes are sent. Raises `StateError` above the share."""
        self._runs.append((events, failed))
        self._events += events
        self._failed += failed
        while self._events - self._runs[0][0] >= self._window:
            oldest = self._runs.popleft()
            self._events -= oldest[0]
            self._failed -= oldest[1]
        if self._events >= LEAST_EVENTS and self._failed > self._most * self._events:
            raise StateError(
                f"{self._failed} of the latest {self._events} events failed, more than"
                " PIPELINE_MAX_FAILED_SHARE allows: the last run was not answered; look at"
                " rejected_events for the reasons"
            )
