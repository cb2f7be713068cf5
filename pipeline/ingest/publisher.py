"""From accepted events to Kafka: out is what all in-sync replicas have acknowledged."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.config import Settings
from pipeline.ingest.accept import Accepted
from pipeline.topics import MAX_RECORD_BYTES, topics

# librdkafka looks for expired messages once a second: less would not be kept.
SHORTEST_TIMEOUT = timedelta(seconds=1)
QUEUE_BYTES = 256 * 1024 * 1024


class UnavailableError(Exception):
    """The records could not be made durable; some of them may be on Kafka all the same."""


class Publisher(Protocol):
    """What a request waits for. A spool has its place here, between the app and Kafka."""

    async def publish(self, accepted: Accepted) -> None:
        """Return once every record and rejected event is durable, else `UnavailableError`."""

    async def is_ready(self) -> bool:
        """Whether a publish would be likely to succeed."""

    def close(self) -> None:
        """Send what is queued, then let go. Blocks for a few seconds at most."""


@dataclass(slots=True)
class MemoryPublisher:
    """Keeps what it is given, in order; for tests and measurements without Kafka."""

    published: list[Accepted] = field(default_factory=list)

    async def publish(self, accepted: Accepted) -> None:
        """Durable as long as the object lives."""
        self.published.append(accepted)

    async def is_ready(self) -> bool:
        """As ready as memory."""
        return True

    def close(self) -> None:
        """Nothing to let go."""


class KafkaPublisher:
    """librdkafka's producer. A thread polls it, and wakes the event loop once per request."""

    def __init__(self, settings: Settings, bootstrap: str) -> None:
        names = topics(settings)
        self._beacons, self._rejected = names.beacons.name, names.rejected.name
        self._timeout = max(settings.ack_timeout, SHORTEST_TIMEOUT)
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 5,
                # The worker names partitions by Java's rule; librdkafka's own differs.
                "partitioner": "murmur2_random",
                "message.max.bytes": MAX_RECORD_BYTES,
                "message.timeout.ms": self._timeout // timedelta(milliseconds=1),
                "queue.buffering.max.kbytes": QUEUE_BYTES // 1024,
                "reconnect.backoff.max.ms": 2000,
                # What goes wrong is told by the answers; a broker that is away would fill the log.
                "log_level": 0,
            }
        )
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="acks", daemon=True)
        self._thread.start()

    def _poll(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(0.1)

    async def publish(self, accepted: Accepted) -> None:
        """See `Publisher`. All is queued before the first await: a cancelled caller loses none."""
        messages = [(self._beacons, key, value) for key, value in accepted.records]
        messages += [
            (self._rejected, rejected.store_id.encode(), msgspec.json.encode(rejected))
            for rejected in accepted.rejected
        ]
        if not messages:
            return
        waiting = _Acks(len(messages), asyncio.get_running_loop())
        try:
            for topic, key, value in messages:
                self._producer.produce(topic, value, key, on_delivery=waiting.on_delivery)
        except BufferError:
            raise UnavailableError("too much is waiting for Kafka") from None
        except KafkaException as error:
            raise UnavailableError(str(error)) from None
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                error_text = await waiting.done
        except TimeoutError:
            raise UnavailableError("Kafka does not answer") from None
        if error_text is not None:
            raise UnavailableError(error_text)

    async def is_ready(self) -> bool:
        """Whether Kafka names the topic's partitions within a second."""
        return await asyncio.to_thread(self._knows_topic)

    def _knows_topic(self) -> bool:
        try:
            known = self._producer.list_topics(self._beacons, timeout=1.0)
        except KafkaException:
            return False
        topic = known.topics.get(self._beacons)
        return topic is not None and topic.error is None and bool(topic.partitions)

    def close(self) -> None:
        """See `Publisher`."""
        self._producer.flush(self._timeout.total_seconds())
        self._closed.set()
        self._thread.join()


class _Acks:
    """Counts a request's acknowledgements down; `done` holds the first error, or None."""

    __slots__ = ("_error", "_left", "_loop", "done")

    def __init__(self, left: int, loop: asyncio.AbstractEventLoop) -> None:
        self._left = left
        self._loop = loop
        self._error: str | None = None
        self.done: asyncio.Future[str | None] = loop.create_future()

    def on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        """Count one down; librdkafka calls it for one message after the other."""
        if error is not None and self._error is None:
            self._error = error.str()
        self._left -= 1
        if self._left == 0 and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        # A request that has run into its timeout no longer waits.
        if not self.done.done():
            self.done.set_result(self._error)
