"""Errors of aiokafka and kafka-python: the cause in one line instead of their many."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import inf

from kafka.errors import (
    AuthorizationError,
    KafkaConnectionError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
)

from pipeline.config import Settings
from pipeline.kafka.away import away
from pipeline.kafka.errors import KafkaRefusesError

log = logging.getLogger(__name__)

CLIENTS = ("aiokafka", "kafka")
# Between two lines while Kafka cannot be used.
REPEAT_SECONDS = 60.0
# What the clients log so long after an outage comes of it: what lasts, they log again.
SETTLING_SECONDS = 20.0
# Kafka is asked every few seconds: after so long without an answer, this process did not run.
STOOD_STILL_SECONDS = 30.0
MAX_HELD = 20
_NUMBER = re.compile(r"\d+")


class ClientLogFilter(logging.Filter):
    """Holds back the clients' log records until an answer shows whether Kafka can be used.

    If it cannot, the reason is logged instead, once a minute, and that it answers again; if it can,
    their records are. `clock` returns seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        super().__init__()
        self._servers = settings.kafka_bootstrap_servers
        self._clock = clock
        self._held: dict[str, tuple[int, str]] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        self._told_at: float | None = None
        self._unusable_since: float | None = None
        self._silent_until = self._settled_at = -inf

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record of these clients, which is held back."""
        if record.name.partition(".")[0] not in CLIENTS:
            return True
        text = record.getMessage()
        with self._lock:
            if len(self._held) < MAX_HELD:
                self._held[_NUMBER.sub("0", text)] = record.levelno, text
        return False

    def told(self, problem: str | None) -> None:
        """Kafka was asked: why it cannot be used, or None. To be called every few seconds."""
        if self._is_closed:
            return
        now = self._clock()
        before, self._told_at = self._told_at, now
        if problem is not None:
            self._is_unusable(problem, now)
        elif self._unusable_since is not None:
            log.info(
                "Kafka at %s answers again, after %.0f s",
                *(self._servers, now - self._unusable_since),
            )
            self._unusable_since, self._settled_at = None, now + SETTLING_SECONDS
        elif before is not None and now - before > STOOD_STILL_SECONDS:
            log.warning("this process stood still for some %.0f s", now - before)
            self._settled_at = now + SETTLING_SECONDS
        held = self._take()
        if problem is None and now >= self._settled_at:
            _log(held)

    def _is_unusable(self, problem: str, now: float) -> None:
        if self._unusable_since is None:
            self._unusable_since = now
        if now >= self._silent_until:
            self._silent_until = now + REPEAT_SECONDS
            log.error("%s", problem)

    def _take(self) -> list[tuple[int, str]]:
        with self._lock:
            held, self._held = self._held, {}
        return list(held.values())

    def close(self) -> None:
        """Log the held records, unless the reason for them has been logged."""
        self._is_closed = True
        held = self._take()
        if self._unusable_since is None and self._clock() >= self._settled_at:
            _log(held)


def _log(records: Iterable[tuple[int, str]]) -> None:
    for level, text in records:
        log.log(level, "%s", text)


@contextmanager
def log_causes(
    settings: Settings, clock: Callable[[], float] = time.monotonic
) -> Iterator[ClientLogFilter]:
    """Have the filter in this process, which has to be `told`."""
    client_filter = ClientLogFilter(settings, clock)
    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        # Before the filter that counts repeats, because a held record is not logged.
        handler.filters.insert(0, client_filter)
    try:
        yield client_filter
    finally:
        for handler in handlers:
            handler.removeFilter(client_filter)
        client_filter.close()


@contextmanager
def errors_as_one_line(settings: Settings) -> Iterator[None]:
    """Raises a `KafkaUnusableError` where kafka-python raises what an operator can mend."""
    try:
        yield
    except (AuthorizationError, SaslAuthenticationFailedError) as error:
        raise KafkaRefusesError(
            f"Kafka at {settings.kafka_bootstrap_servers} rejects user"
            f" {settings.kafka_sasl_username or 'ANONYMOUS'} ({type(error).__name__}): check its"
            " password and its ACLs (docs/operating.md)"
        ) from None
    except (KafkaConnectionError, KafkaTimeoutError) as error:
        is_late = isinstance(error, KafkaTimeoutError)
        raise away(settings, "no answer" if is_late else "no connection") from None
