"""librdkafka's producer as the door needs it: each record's fate is told once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    KafkaError,
    KafkaException,
    Message,
    Producer,
)

from pipeline.config import Settings
from pipeline.delivery.clock import ClockWatch
from pipeline.delivery.pending import PendingRecord
from pipeline.kafka.security import security
from pipeline.topics import MAX_RECORD_BYTES

QUEUE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class DeliveryFailure:
    """Why Kafka did not take a record; no retry mends a permanent one."""

    reason: str
    is_permanent: bool = False


# The rest of Kafka's errors pass, if only when a person has seen to it.
_PERMANENT = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
    }
)


class RecordProducer:
    """Hands records to Kafka, and tells `told` of each one's end: nothing, or why it failed.

    Of one partition, what is handed over earlier arrives earlier. A record never expires: while
    Kafka is away it waits and keeps its place, so that no later one overtakes it. All calls, and
    `told`, are of one thread.
    """

    def __init__(
        self,
        settings: Settings,
        told: Callable[[PendingRecord, DeliveryFailure | None], None],
        clock: ClockWatch,
    ) -> None:
        self._words = {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            **security(settings).for_librdkafka(),
        }
        self._told = told
        self._clock = clock
        self._is_fatal = False
        self._producer = self._made()
        # In the order of their start: a dict, for one may end anywhere in it.
        self.flying: dict[PendingRecord, None] = {}

    def _made(self) -> Producer:
        return Producer(
            {
                **self._words,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 0,
                # The worker names partitions by Java's rule; librdkafka's own differs.
                "partitioner": "murmur2_random",
                "message.max.bytes": MAX_RECORD_BYTES,
                "message.timeout.ms": 0,
                "queue.buffering.max.kbytes": QUEUE_BYTES // 1024,
                # A connection that hangs holds its requests back for this long.
                "socket.timeout.ms": 10_000,
                "reconnect.backoff.max.ms": 1000,
                # What goes wrong is told by the answers; a broker that is away would fill the log.
                "log_level": 0,
            }
        )

    def send(self, item: PendingRecord) -> bool:
        """Start it, or say that there is no room.

        What librdkafka refuses at once has ended, and been told of, when this returns.
        """
        record = item.record
        item.since = time.monotonic()
        self.flying[item] = None
        try:
            self._producer.produce(
                record.topic, record.value, record.key, on_delivery=partial(self._landed, item)
            )
        except BufferError:
            del self.flying[item]
            return False
        except KafkaException as error:
            self._landed(item, error.args[0], None)
        return True

    def _landed(
        self, item: PendingRecord, error: KafkaError | None, message: Message | None
    ) -> None:
        if error is None:
            if message is not None:
                kind, appended_at = message.timestamp()
                if kind == TIMESTAMP_LOG_APPEND_TIME:
                    self._clock.saw(appended_at / 1000, since=item.since)
            self._told(item, None)
        else:
            self._is_fatal = self._is_fatal or error.fatal()
            self._told(item, DeliveryFailure(error.str(), error.code() in _PERMANENT))
        # After it: who hears of it still finds it in its place.
        del self.flying[item]

    def poll(self) -> None:
        """Tell of all that has ended since."""
        self._producer.poll(0)

    def recall(self) -> None:
        """What has not left yet fails, so that it can be sent anew in its order."""
        self._producer.purge(in_queue=True, in_flight=self._is_fatal)

    def renew(self) -> None:
        """Once nothing flies: a producer that said it is of no use any more is replaced."""
        if self._is_fatal:
            self._producer = self._made()
            self._is_fatal = False

    def knows(self, topic: str, *, within: timedelta) -> bool:
        """Whether Kafka names the topic's partitions in time. Blocks; of any thread."""
        try:
            known = self._producer.list_topics(topic, timeout=within.total_seconds())
        except KafkaException:
            return False
        found = known.topics.get(topic)
        return found is not None and found.error is None and bool(found.partitions)

    def flush(self, *, within: timedelta) -> None:
        """Wait for what flies. Blocks."""
        self._producer.flush(within.total_seconds())
