"""librdkafka's clients for questions, each with an ear for what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.config import Settings
from pipeline.kafka.diagnosis import Heard, diagnosed
from pipeline.kafka.errors import KafkaRefusesError, KafkaUnusableError
from pipeline.kafka.security import security

SECONDS = 10.0
# Of one attempt; then it is looked at why there was no answer.
ATTEMPT_SECONDS = 1.0

T = TypeVar("T")


class Connection:
    """An admin client of a Kafka that has answered.

    Raises `KafkaUnusableError`: what one side refuses at once, what is away after `patience`
    seconds.
    """

    def __init__(self, settings: Settings, *, patience: float = SECONDS) -> None:
        self._settings = settings
        self._heard = Heard()
        self.admin = AdminClient(self._words())
        self._wait(patience)

    def _words(self) -> dict[str, str | int | float | bool]:
        return {
            "bootstrap.servers": self._settings.kafka_bootstrap_servers,
            # What goes wrong is heard, and told once.
            "log_level": 0,
            "error_cb": self._heard,  # type: ignore[dict-item]  # its types know no callback
            "reconnect.backoff.max.ms": 500,
            **security(self._settings).for_librdkafka(),
        }

    def _wait(self, patience: float) -> None:
        until = time.monotonic() + patience
        while True:
            left = until - time.monotonic()
            try:
                self.admin.list_topics(timeout=max(0.1, min(left, ATTEMPT_SECONDS)))
            except KafkaException as error:
                self.admin.poll(0)
                trouble = self._trouble(error, "list topics")
                refuses = isinstance(trouble, KafkaRefusesError) and self._heard.is_nobody_left
                if refuses or left <= ATTEMPT_SECONDS:
                    raise trouble from None
            else:
                return

    def consumer(self, group: str) -> Consumer:
        """Of `group`, to ask for what it has committed."""
        return Consumer({**self._words(), "group.id": group})

    def asked(self, question: Callable[[], T], task: str) -> T:
        """The answer. Raises `KafkaUnusableError`; `task` is what Kafka would not do."""
        try:
            return question()
        except KafkaException as error:
            self.admin.poll(0)
            raise self._trouble(error, task) from None

    def _trouble(self, error: KafkaException, task: str) -> KafkaUnusableError:
        return diagnosed(self._settings, error.args[0], self._heard, task=task)
