"""kafka-python's refusals of a user, as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import AuthorizationError, SaslAuthenticationFailedError

from pipeline.config import Settings
from pipeline.kafka.errors import KafkaRefusesError


@contextmanager
def refusals_told(settings: Settings) -> Iterator[None]:
    """Raises `KafkaRefusesError` where kafka-python raises that the user or a right is missing."""
    try:
        yield
    except (AuthorizationError, SaslAuthenticationFailedError) as error:
        raise KafkaRefusesError(
            f"Kafka at {settings.kafka_bootstrap_servers} turns user"
            f" {settings.kafka_sasl_username or 'ANONYMOUS'} away ({type(error).__name__}): check"
            " its password and its ACLs (docs/operating.md)"
        ) from None
