"""Why Kafka cannot be used."""

from __future__ import annotations

# In the message of each `KafkaAwayError`: what a supervisor sees of a process that ended with it.
AWAY = "does not answer"


class KafkaUnusableError(Exception):
    """Kafka cannot be used; the message is one line that says what to do."""


class KafkaAwayError(KafkaUnusableError):
    """Kafka does not answer, for now or for good."""


class KafkaRefusesError(KafkaUnusableError):
    """One side refuses the other: TLS, a certificate, a user or a password."""


class MissingTopicError(KafkaUnusableError):
    """Kafka answers, but a topic does not exist."""


class UnfitTopicError(KafkaUnusableError):
    """A topic would lose or refuse events."""
