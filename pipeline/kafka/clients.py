"""librdkafka's clients for administration; their errors say what is wrong and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.config import Settings
from pipeline.kafka.diagnosis import ClientErrors, diagnose
from pipeline.kafka.errors import AWAY, KafkaAwayError, KafkaRefusesError, KafkaUnusableError
from pipeline.kafka.security import security

SECONDS = 10.0
# Of one attempt; after each, the reported errors are examined.
ATTEMPT_SECONDS = 1.0

T = TypeVar("T")


class KafkaAdmin:
    """An admin client whose Kafka has answered.

    Raises `KafkaUnusableError`: at once if one side refuses the other, after `patience` seconds if
    Kafka is away.
    """

    def __init__(self, settings: Settings, *, patience: float = SECONDS) -> None:
        self._settings = settings
        self._errors = ClientErrors()
        self.admin = AdminClient(self._config())
        self.check(patience)

    def _config(self) -> dict[str, str | int | float | bool]:
        return {
            "bootstrap.servers": self._settings.kafka_bootstrap_servers,
            # Errors go to `error_cb`, and are reported once.
            "log_level": 0,
            "error_cb": self._errors,  # type: ignore[dict-item]  # its types know no callback
            "reconnect.backoff.max.ms": 500,
            **security(self._settings).for_librdkafka(),
        }

    def check(self, patience: float) -> None:
        """Ask Kafka for its topics. Raises as the constructor does."""
        until = time.monotonic() + patience
        while True:
            left = until - time.monotonic()
            try:
                self.admin.list_topics(timeout=max(0.1, min(left, ATTEMPT_SECONDS)))
            except KafkaException as error:
                self.admin.poll(0)
                is_over = left <= ATTEMPT_SECONDS
                if not is_over and not self._errors.are_all_brokers_down:
                    continue
                failure = self._diagnosed(error, "list topics")
                try:
                    if is_over or isinstance(failure, KafkaRefusesError):
                        raise failure from None
                finally:
                    # It would tie itself to this frame, and so keep the client, and its threads,
                    # until garbage is collected.
                    del failure
            else:
                return

    def consumer(
        self, group: str, options: Mapping[str, str | int | bool] = MappingProxyType({})
    ) -> Consumer:
        """A consumer of `group` that reads its committed offsets, or what it is assigned."""
        return Consumer(
            {
                **self._config(),
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                **options,
            }
        )

    def call(self, request: Callable[[], T], task: str) -> T:
        """The result of `request`. Raises `KafkaUnusableError`, which names `task`.

        A TimeoutError of the `request` means that Kafka is away.
        """
        try:
            return request()
        except TimeoutError:
            raise KafkaAwayError(
                f"Kafka at {self._settings.kafka_bootstrap_servers} {AWAY} (to {task})"
            ) from None
        except KafkaException as error:
            self.admin.poll(0)
            raise self._diagnosed(error, task) from None

    def _diagnosed(self, error: KafkaException, task: str) -> KafkaUnusableError:
        return diagnose(self._settings, error.args[0], self._errors, task=task)
