"""Errors of aiokafka and kafka-python: the cause in one line instead of their many."""

from __future__ import annotations

import atexit
import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import (
    AuthorizationError,
    KafkaConnectionError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
)

from pipeline.config import Settings
from pipeline.kafka.clients import KafkaAdmin
from pipeline.kafka.errors import AWAY, KafkaAwayError, KafkaRefusesError, KafkaUnusableError

log = logging.getLogger(__name__)

CLIENTS = ("aiokafka", "kafka")
# Between two checks of Kafka, after one that failed and after one that passed.
FAILED_SECONDS = 60.0
PASSED_SECONDS = 10.0
PATIENCE = 2.0
MAX_HELD = 20
_NUMBER = re.compile(r"\d+")


class ClientLogFilter(logging.Filter):
    """Holds back the clients' log records until a check shows whether Kafka can be used.

    If it cannot, the reason is logged instead, once a minute; if it can, their records are.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._held: dict[str, tuple[int, str]] = {}
        self._lock = threading.Lock()
        self._has_records = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_unusable = False

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record of these clients, which is held back."""
        if record.name.partition(".")[0] not in CLIENTS:
            return True
        text = record.getMessage()
        with self._lock:
            if len(self._held) < MAX_HELD:
                self._held[_NUMBER.sub("0", text)] = record.levelno, text
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        self._has_records.set()
        return False

    def _run(self) -> None:
        while self._has_records.wait():
            self._has_records.clear()
            self._check()
            time.sleep(FAILED_SECONDS if self._is_unusable else PASSED_SECONDS)

    def _check(self) -> None:
        """Log the reason if Kafka cannot be used, else the held records."""
        try:
            KafkaAdmin(self._settings, patience=PATIENCE)
        except KafkaUnusableError as error:
            self._is_unusable = True
            with self._lock:
                self._held.clear()
            log.error("%s", error)  # noqa: TRY400  # one line
        else:
            self._is_unusable = False
            self.log_held()

    def log_held(self) -> None:
        """Log the held records, unless the reason for them has been logged."""
        if self._is_unusable:
            return
        with self._lock:
            held, self._held = self._held, {}
        for level, text in held.values():
            log.log(level, "%s", text)


def log_causes(settings: Settings) -> None:
    """Install the filter in this process."""
    client_filter = ClientLogFilter(settings)
    for handler in logging.getLogger().handlers:
        # Before the filter that counts repeats, because a held record is not logged.
        handler.filters.insert(0, client_filter)
    atexit.register(client_filter.log_held)


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
        raise KafkaAwayError(
            f"Kafka at {settings.kafka_bootstrap_servers} {AWAY} ({type(error).__name__}): start"
            " it, or check PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
        ) from None
