from __future__ import annotations

import time

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.kafka.admin import _retried


@pytest.mark.parametrize("code", [KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH])
def test_a_partition_whose_leader_changes_is_asked_again(code: int) -> None:
    errors = [KafkaException(KafkaError(code))]

    def question() -> int:
        if errors:
            raise errors.pop()
        return 7

    assert _retried(question, time.monotonic() + 60) == 7
