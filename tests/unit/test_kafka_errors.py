"""What kafka-python raises becomes one line that says what to do."""

from __future__ import annotations

import pytest
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from pipeline.config import Settings
from pipeline.kafka.client_log import errors_as_one_line
from pipeline.kafka.errors import AWAY, KafkaAwayError


@pytest.mark.parametrize("error", [KafkaConnectionError("x"), KafkaTimeoutError("x")])
def test_a_kafka_that_is_away_is_one_line(error: Exception) -> None:
    settings = Settings(_env_file=None, kafka_bootstrap_servers="kafka-1.example:9092")
    with (
        pytest.raises(KafkaAwayError, match=f"kafka-1.example:9092 {AWAY}"),
        errors_as_one_line(settings),
    ):
        raise error
