"""Asks Kafka now and then how far its topics go, in a thread that holds up nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from pipeline.config import Settings
from pipeline.kafka.admin import end_offsets
from pipeline.kafka.clients import KafkaAdmin
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.monitoring.metrics import Labels
from pipeline.topics import Topic

INTERVAL = timedelta(seconds=5)
# Seconds for Kafka to answer: it is asked again soon.
PATIENCE = 2.0

Ends = Mapping[Labels, int]
"""The end offset by topic and partition."""


class KafkaEnds:
    """`seen` gets the ends of `topics` whenever Kafka answers, in this object's thread."""

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[Topic],
        seen: Callable[[Ends], None],
        *,
        interval: timedelta = INTERVAL,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._seen = seen
        self._interval = interval.total_seconds()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-ends", daemon=True)
        self.problem: str | None = "it was not asked yet"
        """Why Kafka does not answer; None if it does."""
        self._told: Callable[[str | None], None] = lambda _: None

    @property
    def is_up(self) -> bool:
        """Whether Kafka answered when it was last asked."""
        return self.problem is None

    def start(self, told: Callable[[str | None], None] | None = None) -> None:
        """Begin to ask.

        `told` gets, in this object's thread, each answer to whether Kafka can be used at all: why
        not, or None.
        """
        self._told = told or self._told
        self._thread.start()

    def stop(self) -> None:
        """Ask no more. An answer that is awaited is not waited for, and told to nobody."""
        self._stop.set()
        # The thread may outlive all that they belong to, which could not be freed before it ends.
        self._seen, self._told = (lambda _: None), (lambda _: None)

    def _run(self) -> None:
        admin: KafkaAdmin | None = None
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                if admin is None:
                    admin = KafkaAdmin(self._settings, patience=PATIENCE)
                else:
                    admin.check(PATIENCE)
            except KafkaUnusableError as error:
                self.problem, admin = str(error), None
                self._told(self.problem)
            else:
                self._told(None)
                self._read_ends(admin)
            self._stop.wait(max(0.0, self._interval - (time.monotonic() - began)))

    def _read_ends(self, admin: KafkaAdmin) -> None:
        try:
            ends: Ends = {
                (topic.name, str(number)): end
                for topic in self._topics
                for number, end in end_offsets(
                    self._settings, topic, kafka=admin, patience=PATIENCE
                ).items()
            }
        except KafkaUnusableError as error:
            self.problem = str(error)
        else:
            self.problem = None
            self._seen(ends)
