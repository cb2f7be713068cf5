"""What is said of a Kafka that does not answer: why, in words, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import Settings
from pipeline.kafka.errors import AWAY, KafkaAwayError


def embedded_address(home: Path) -> str | None:
    """That of the Kafka of `pipeline up`, which may not run now; None if it never has."""
    port = home / "kafka" / "port"
    return f"127.0.0.1:{port.read_text().strip()}" if port.exists() else None


def away(settings: Settings, why: str) -> KafkaAwayError:
    """The error for a Kafka that does not answer, because of `why`."""
    bootstrap = settings.kafka_bootstrap_servers
    advice = "start it, or check PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
    if bootstrap == embedded_address(settings.home):
        # Nothing may listen because `up` does not run, or because its Kafka has just died.
        again = "it starts Kafka again, " if "refused" in why else ""
        log = settings.home / "kafka" / "broker.log"
        advice = f"start `pipeline up`, or if that runs {again}see {log}"
    return KafkaAwayError(f"Kafka at {bootstrap} {AWAY} ({why}): {advice}")
