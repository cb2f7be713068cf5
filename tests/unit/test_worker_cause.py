from __future__ import annotations

import lmdb
import pytest
from aiokafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from pipeline.kafka.errors import AWAY
from pipeline.stream.cause import cause
from pipeline.stream.state_file import DamagedStateError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KafkaTimeoutError("no offsets"), f"Kafka {AWAY} (KafkaTimeoutError: no offsets)"),
        (TopicAuthorizationFailedError("t"), "[Error 29] TopicAuthorizationFailedError: t"),
        (DamagedStateError("it is read again"), "it is read again"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_what_ends_a_worker_is_said_once(error: Exception, said: str) -> None:
    assert cause(error) == said


def test_a_full_disk_says_what_needs_room() -> None:
    assert "PIPELINE_HOME/state has room" in cause(lmdb.DiskError("no space left"))
