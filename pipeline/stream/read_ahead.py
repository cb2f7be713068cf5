"""Reads changelogs into new stores with librdkafka, before Faust reads what is left of them.

A record costs Faust's client 8 us of CPU, and librdkafka 1: the rest is done by threads of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import methodcaller
from threading import Lock
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.config import Settings
from pipeline.kafka.clients import KafkaAdmin
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.stream.devices import Devices
from pipeline.topics import group, topics

log = logging.getLogger(__name__)

# Records at a time, and seconds to wait for them: `stop` waits until they are applied.
_RECORDS, _WAIT_SECONDS = 5_000, 0.1
# Faust's client waits for a Kafka that is away.
_PATIENCE_SECONDS = 2.0
_OPTIONS: Mapping[str, str | int | bool] = {
    "enable.partition.eof": True,
    "check.crcs": True,
    # What waits to be applied, of all partitions; with the default of 1 s it would run empty.
    "queued.max.messages.kbytes": 32 * 1024,
    "fetch.queue.backoff.ms": 10,
}


@dataclass(slots=True)
class ReadAhead:
    """One reading of the changelogs of new `devices`, by partition, for at most `seconds`.

    `run` is for a thread, `stop` for that which owns the devices: when it returns, nothing touches
    them any more. `applied` gets how many records were, in the thread.
    """

    settings: Settings
    devices: Mapping[int, Devices]
    seconds: float
    applied: Callable[[int], object]
    _is_stopped: bool = False
    _turn: Lock = field(default_factory=Lock)

    def run(self) -> bool:
        """Read up to the end; returns whether there was no time for all. Raises OSError.

        What Kafka's errors leave is Faust's, whose client deals with them.
        """
        try:
            with self._reading() as consumer:
                return self._read(consumer)
        except (KafkaException, KafkaUnusableError) as error:
            log.warning("the changelog is read more slowly, after an error of Kafka: %s", error)
        return False

    def stop(self) -> None:
        """Read no more. It waits for the records that are being applied."""
        with self._turn:
            self._is_stopped = True

    def _read(self, consumer: Consumer) -> bool:
        behind, records = set(self.devices), 0
        begun = time.monotonic()
        while behind:
            messages = consumer.consume(_RECORDS, _WAIT_SECONDS)
            for number, some in groupby(messages, methodcaller("partition")):
                with self._turn:
                    if self._is_stopped:
                        return False
                    reached, count = _apply(self.devices[number], list(some))
                if reached:
                    behind.discard(number)
                records += count
                self.applied(count)
            if time.monotonic() - begun > self.seconds:
                # Without any record Kafka is away, and Faust's client waits for it.
                return records > 0
        seconds = time.monotonic() - begun
        log.info("the changelog is read: the last %d records in %.1f s", records, seconds)
        return False

    @contextmanager
    def _reading(self) -> Iterator[Consumer]:
        changelog = topics(self.settings).changelog.name
        kafka = KafkaAdmin(self.settings, patience=_PATIENCE_SECONDS)
        consumer = kafka.consumer(group(self.settings), _OPTIONS)
        try:
            consumer.assign(
                [
                    TopicPartition(changelog, number, devices.next_offset)
                    for number, devices in self.devices.items()
                ]
            )
            yield consumer
        finally:
            consumer.close()


def _apply(devices: Devices, messages: Sequence[Any]) -> tuple[bool, int]:
    """Apply neighbours of a partition; returns whether its end is among them, and the records."""
    pairs, is_end = [], False
    for message in messages:
        error = message.error()
        if error is None:
            pairs.append((message.key(), message.value()))
            continue
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # its only name
            raise KafkaException(error)
        is_end = True
    last = messages[-1]
    # The end may be beyond the last record: compaction removes some.
    devices.apply(pairs, following=last.offset() + (0 if last.error() else 1))
    return is_end, len(pairs)
