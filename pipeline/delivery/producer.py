"""librdkafka's producer in the event loop; each delivery is reported once, to the sender."""

from __future__ import annotations

import asyncio
import logging
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

log = logging.getLogger(__name__)

# The worker names partitions by Java's rule; librdkafka's own differs.
PARTITIONER = "murmur2_random"
QUEUE_BYTES = 256 * 1024 * 1024

# How often acknowledgements are fetched: while requests wait for them, and while only the spool
# does. The event loop's timers are no finer than a millisecond: with less it would never sleep.
POLL_SECONDS = 0.001
SLOW_POLL_SECONDS = 0.020


@dataclass(frozen=True)
class DeliveryFailure:
    """Why Kafka did not accept a record; retrying does not help if `is_permanent`."""

    reason: str
    is_permanent: bool = False


OnDelivery = Callable[[PendingRecord, DeliveryFailure | None], None]
"""Called once per record sent: with None once Kafka has acknowledged it."""

# All other errors pass in time, some of them only after an operator has acted.
_PERMANENT = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
    }
)


class RecordProducer:
    """Sends records to Kafka and polls for their acknowledgements.

    Within a partition, records arrive in the order of `send`. A record never expires: while Kafka
    is away it waits and keeps its place, so that no later one overtakes it. Use it from one thread.
    """

    def __init__(self, settings: Settings, clock: ClockWatch) -> None:
        self._config = {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            **security(settings).for_librdkafka(),
        }
        self._clock = clock
        self._is_fatal = False
        self._is_polling = False
        self._producer = self._new_producer()
        self.poll_seconds = SLOW_POLL_SECONDS
        # Oldest first. A dict, because records leave it from any place.
        self.in_flight: dict[PendingRecord, None] = {}

    def _new_producer(self) -> Producer:
        return Producer(
            {
                **self._config,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 0,
                "partitioner": PARTITIONER,
                "message.max.bytes": MAX_RECORD_BYTES,
                "message.timeout.ms": 0,
                "queue.buffering.max.kbytes": QUEUE_BYTES // 1024,
                # A connection that hangs holds its requests back for this long.
                "socket.timeout.ms": 10_000,
                "reconnect.backoff.max.ms": 1000,
                # Failures are reported per record; a broker that is away would fill the log.
                "log_level": 0,
            }
        )

    def start(self) -> None:
        """Start in the running event loop."""
        self._loop = asyncio.get_running_loop()

    def send(self, item: PendingRecord, on_delivery: OnDelivery) -> bool:
        """Hand `item` to librdkafka; False if its queue is full.

        If librdkafka refuses the record at once, `on_delivery` has been called on return.
        """
        record = item.record
        item.sent_at = time.monotonic()
        self.in_flight[item] = None
        delivered = partial(self._delivered, item, on_delivery)
        try:
            self._producer.produce(record.topic, record.value, record.key, on_delivery=delivered)
        except BufferError:
            del self.in_flight[item]
            return False
        except KafkaException as error:
            delivered(error.args[0], None)
        if not self._is_polling:
            self._poll_later()
        return True

    def _delivered(
        self,
        item: PendingRecord,
        on_delivery: OnDelivery,
        error: KafkaError | None,
        message: Message | None,
    ) -> None:
        if error is None:
            if message is not None:
                kind, appended_at = message.timestamp()
                if kind == TIMESTAMP_LOG_APPEND_TIME:
                    self._clock.compare(appended_at / 1000, since=item.sent_at)
            on_delivery(item, None)
        else:
            self._is_fatal = self._is_fatal or error.fatal()
            on_delivery(item, DeliveryFailure(error.str(), error.code() in _PERMANENT))
        # Last: the callback may spool all that is in flight, this record at its place among them.
        del self.in_flight[item]

    def _poll_later(self) -> None:
        if self.in_flight:
            self._is_polling = True
            self._loop.call_later(self.poll_seconds, self._poll_again)

    def _poll_again(self) -> None:
        self._is_polling = False
        self.poll()
        if not self._is_polling:
            self._poll_later()

    def poll(self) -> None:
        """Call `on_delivery` for every record whose delivery has ended.

        After a fatal error, as when Kafka has lost the records before, none that is in flight can
        end by itself: all fail, and are sent again by a producer that takes this one's place.
        """
        try:
            self._producer.poll(0)
        except KafkaException as error:
            if not error.args[0].fatal():
                raise
            log.error("Kafka's client has to begin again: %s", error.args[0].str())  # noqa: TRY400  # not ours
            self._is_fatal = True
            self.purge()

    def purge(self) -> None:
        """Fail the records that are still queued, so that they can be sent again in order."""
        self._producer.purge(in_queue=True, in_flight=self._is_fatal)

    def replace_if_fatal(self) -> None:
        """Replace a producer that reported a fatal error. Nothing may be in flight."""
        if self._is_fatal:
            self._producer = self._new_producer()
            self._is_fatal = False

    def can_reach(self, topic: str, *, within: timedelta) -> bool:
        """Whether Kafka lists the topic's partitions in time. Blocks; safe from any thread."""
        try:
            metadata = self._producer.list_topics(topic, timeout=within.total_seconds())
        except KafkaException:
            return False
        found = metadata.topics.get(topic)
        return found is not None and found.error is None and bool(found.partitions)

    def flush(self, *, within: timedelta) -> None:
        """Wait for the records in flight. Blocks."""
        self._producer.flush(within.total_seconds())
