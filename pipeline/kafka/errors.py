"""What is the matter with a Kafka that cannot be used: one line each, that says what to do."""

from __future__ import annotations


class KafkaUnusableError(Exception):
    """Kafka is not there, or its topics are not ours to use; one line that says what to do."""


class KafkaAwayError(KafkaUnusableError):
    """Nothing answers as a Kafka, for now or for good."""


class KafkaRefusesError(KafkaUnusableError):
    """Kafka is there, but it or we refuse the other: TLS, a certificate, a user or a password."""


class MissingTopicError(KafkaUnusableError):
    """Kafka answers, and has not all of our topics."""


class UnfitTopicError(KafkaUnusableError):
    """A topic that would lose or refuse events."""
