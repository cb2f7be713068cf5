"""A Kafka that does not answer: why, in words, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from pipeline.config import Settings
from pipeline.kafka.away import away
from pipeline.kafka.diagnosis import ClientErrors, diagnose

TRANSPORT, RESOLVE = KafkaError._TRANSPORT, KafkaError._RESOLVE  # noqa: SLF001
ALL_DOWN, TIMED_OUT = KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT  # noqa: SLF001
# As librdkafka 2.16 says it.
REFUSED = "k:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT)"  # noqa: E501
CLOSED = "k:9/bootstrap: Disconnected (after 2ms in state APIVERSION_QUERY)"


def settings(home: Path, server: str) -> Settings:
    return Settings(_env_file=None, home=home, kafka_bootstrap_servers=server)


@pytest.mark.parametrize(
    ("code", "reported", "why"),
    [
        (TRANSPORT, (TRANSPORT, REFUSED), "connection refused"),
        (TRANSPORT, (TRANSPORT, CLOSED), "it closes the connection"),
        (TRANSPORT, (RESOLVE, "Failed to resolve 'k:9'"), "there is no such host"),
        (TRANSPORT, (ALL_DOWN, "1/1 brokers are down"), "no answer"),
        (TIMED_OUT, (ALL_DOWN, "1/1 brokers are down"), "no answer"),
        (ALL_DOWN, (ALL_DOWN, "1/1 brokers are down"), "_ALL_BROKERS_DOWN"),
    ],
)
def test_the_reason_is_in_words(
    tmp_path: Path, code: int, reported: tuple[int, str], why: str
) -> None:
    errors = ClientErrors()
    errors(KafkaError(*reported))
    # No host of that name is asked whether it speaks TLS.
    nowhere = settings(tmp_path, "nowhere.invalid:9")
    error = diagnose(nowhere, KafkaError(code), errors, task="list topics")
    assert str(error) == (
        f"Kafka at nowhere.invalid:9 does not answer ({why}): start it, or check"
        " PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
    )


def test_for_that_of_up_the_advice_is_to_start_it(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "port").write_text("9\n")
    for server, advice in (("127.0.0.1:9", "start `pipeline up`"), ("127.0.0.1:7", "start it, or")):
        given = settings(tmp_path, server)
        error = diagnose(given, KafkaError(TRANSPORT), ClientErrors(), task="list topics")
        assert f": {advice}" in str(error)
        assert str(error).endswith("kafka/broker.log") == (server == "127.0.0.1:9")
    refused = away(settings(tmp_path, "127.0.0.1:9"), "connection refused")
    log = tmp_path / "kafka" / "broker.log"
    advice = f"start `pipeline up`, or if that runs it starts Kafka again, see {log}"
    assert str(refused).endswith(f": {advice}")
