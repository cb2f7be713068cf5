"""Whether Kafka acknowledges quickly, and what is wrong if it does not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from pipeline.delivery.producer import RecordProducer
from pipeline.kafka.errors import KafkaUnusableError

RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 60.0
# The circuit is open from the start; it closes sooner than this if Kafka is well.
FIRST_DIAGNOSIS_SECONDS = 5.0
# Between two diagnoses while the circuit is open.
DIAGNOSIS_SECONDS = 60.0

log = logging.getLogger(__name__)


class Probe:
    """Judges Kafka by its acknowledgements; asks it, ever less often, while none is expected."""

    def __init__(self, producer: RecordProducer, topic: str, *, limit: timedelta) -> None:
        self._producer = producer
        self._topic = topic
        # Half of the limit, so that a broker at the edge of it does not open and close the circuit.
        self._max_latency = limit / 2
        self._was_quick = False
        self._retry_seconds = RETRY_SECONDS
        self._ask_at = 0.0

    def circuit_opened(self) -> None:
        """Forget past acknowledgements, and wait longer before asking a broker that stays slow."""
        self._was_quick = False
        self._ask_at = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(self._retry_seconds * 2, MAX_RETRY_SECONDS)

    def acknowledged(self, latency: float) -> None:
        """Kafka acknowledged a record `latency` seconds after it was sent."""
        self._was_quick = latency < self._max_latency.total_seconds()
        if self._was_quick:
            self._retry_seconds = RETRY_SECONDS

    @property
    def is_quick(self) -> bool:
        """Whether the latest acknowledgement was quick and no record has waited long since."""
        oldest = next(iter(self._producer.in_flight), None)
        waited = time.monotonic() - oldest.sent_at if oldest is not None else 0.0
        return self._was_quick and waited < self._max_latency.total_seconds()

    async def ask(self) -> None:
        """Ask Kafka, if it is time to and no acknowledgement is expected."""
        if self._was_quick or self._producer.in_flight or time.monotonic() < self._ask_at:
            return
        self._ask_at = time.monotonic() + self._retry_seconds
        self._was_quick = await asyncio.to_thread(
            self._producer.can_reach, self._topic, within=self._max_latency
        )


class Diagnosis:
    """Runs `check`, which blocks and raises `KafkaUnusableError`, and logs what it found."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._task: asyncio.Task[bool] | None = None
        self._next_at = 0.0
        self.problem = ""
        """What the latest check found; empty if nothing."""

    async def wait_until_usable(self) -> None:
        """Return once `check` passes: nothing may leave the spool before."""
        while not await self._is_usable():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(RETRY_SECONDS)
        self._next_at = time.monotonic() + FIRST_DIAGNOSIS_SECONDS

    def start_if_due(self) -> None:
        """Check in the background, at most once a minute."""
        now = time.monotonic()
        if now >= self._next_at and (self._task is None or self._task.done()):
            self._next_at = now + DIAGNOSIS_SECONDS
            self._task = asyncio.get_running_loop().create_task(self._is_usable())

    async def _is_usable(self) -> bool:
        try:
            await asyncio.to_thread(self._check)
        except KafkaUnusableError as error:
            self.problem = str(error)
            log.error("%s; until then events stay in the spool", error)  # noqa: TRY400  # one line
            return False
        except Exception as error:
            # A check that ended its task would leave all events in the spool for good.
            self.problem = f"{type(error).__name__}: {error}"
            log.exception("Kafka could not be checked; until then events stay in the spool")
            return False
        self.problem = ""
        return True
