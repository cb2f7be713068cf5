"""What ends a worker, as a line that says what to do."""

from __future__ import annotations

import lmdb
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from pipeline.kafka.errors import AWAY
from pipeline.stream.state_file import DamagedStateError

_SILENT = (KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, RequestTimedOutError)


def cause(error: BaseException) -> str:
    """The line for `error`, which came up where it could not be mended."""
    if isinstance(error, DamagedStateError):
        return str(error)
    if isinstance(error, lmdb.Error):
        return (
            f"the local state cannot be written ({error}): see that PIPELINE_HOME/state has room,"
            " and start the worker again"
        )
    if isinstance(error, _SILENT):
        # As every process says it: who starts this one again does not take it for a crash.
        return f"Kafka {AWAY} ({error})"
    if isinstance(error, KafkaError):
        return str(error)  # which begins with its name
    return f"{type(error).__name__}: {error}"
