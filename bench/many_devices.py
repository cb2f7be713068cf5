"""States of many devices, made quickly: one device goes through the rules, the others are copies.

In a copy all that is random is random again: event keys, contents, session id and tokens. So it has
the size of a real state, and compresses like one.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from factories import (  # type: ignore[import-not-found]  # the tests' own
    MORNING,
    cart,
    click,
    make_event,
    make_record,
)
from stream_log import PartitionLog  # type: ignore[import-not-found]  # as above

from pipeline.config import Settings
from pipeline.domain.device import decode
from pipeline.domain.identity import record_key
from pipeline.kafka.admin import end_offsets, topic_ids
from pipeline.stream.batch_producer import BatchProducer
from pipeline.stream.expiry import hour_of
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.local_state import META_KEY, LocalState
from pipeline.stream.rows import WRITER_BYTES, entry_of, packed, row_of
from pipeline.stream.state_file import FILE, HOURS, ROWS, StateFile
from pipeline.topics import topics

__all__ = ["MORNING", "Copies", "fill", "fill_store", "key_of", "sent", "visit"]

_STORE = "store"
_SESSION = "0" * 36
_WRITER = b"w" * WRITER_BYTES
_BATCH = 5_000

_Row = tuple[bytes, bytes, bytes]
"""Under what it is, device key, state."""


def key_of(number: int) -> bytes:
    """The record key of device `number`."""
    return record_key(_STORE, f"d:{number:09}")


def visit(number: int, minute: float) -> tuple[bytes, bytes]:
    """A record of `beacons` with three events of device `number`."""
    events = [make_event(minute=minute), click(minute), cart(minute, "token")]
    at = max(event["timestamp"] for event in events)
    key, value = make_record(events, _STORE, f"d:{number:09}", received_at=at)
    return bytes(key), bytes(value)


@dataclass(frozen=True)
class Copies:
    """States like the one `value`, in which `random` are the bytes that differ."""

    value: bytes
    random: tuple[bytes, ...]

    @classmethod
    def of(cls, events: int) -> Copies:
        """Of a device with so many events: a view, a click and a cart in turn."""
        log, random = PartitionLog(), [_SESSION.encode()]
        for minute in range(events):
            token = f"{minute:032}"
            same = {"session_id": _SESSION}
            made = (
                make_event(minute=minute, **same),
                click(minute, token, **same),
                cart(minute, f"{minute - 1:032}", **same),
            )[minute % 3]
            random += [token.encode()] if minute % 3 == 1 else []
            log.send(made)
        partition = log.assigned()
        log.run(partition)
        (value,) = log.state().values()
        for key, (_, content) in decode(value).keys.items():
            random += [key, content]
        return cls(value, tuple(random))

    def states(self, seed: int) -> Iterator[bytes]:
        """One after the other; it never ends."""
        draw = Random(seed).randbytes  # noqa: S311  # no secret
        while True:
            value = self.value
            for old in self.random:
                # A text has half the randomness of its bytes: hexadecimal digits.
                size = len(old)
                new = draw(size) if size in (8, 16) else draw(size // 2).hex().encode()
                value = value.replace(old, new)
            yield value


def fill(settings: Settings, devices: int, events: int) -> None:
    """Write changelogs and local stores of so many devices, as if workers had done it.

    All partitions get the same device numbers, so that the stores are copies of one, which is
    written in the order of its rows.
    """
    changelog = topics(settings).changelog
    shutil.rmtree(settings.home / "state", ignore_errors=True)
    rows = asyncio.run(_write(settings, devices // settings.partitions, events))
    ends = end_offsets(settings, changelog)
    topic_id = topic_ids(settings, [changelog.name])[changelog.name]
    local = LocalFolder.of(settings, topic_id, lambda: ends)
    stores = [local.open(number) for number in range(settings.partitions)]
    _append(stores[0], rows)
    stores[0].close()
    for number, store in enumerate(stores):
        if number:
            store.abandon()
            shutil.copyfile(stores[0].folder / FILE, store.folder / FILE)
            copied = StateFile.open(store.folder)
            with copied.changing() as tables:
                tables.transaction.put(META_KEY, msgspec.json.encode(store.meta))
            copied.env.close()
        again = local.open(number)
        again.write({}, msgspec.structs.replace(again.meta, offset=ends[number]))
        again.close()


def fill_store(store: LocalState, devices: int, events: int) -> bytes:
    """Write so many devices to a new store, without a changelog; returns a state."""
    states = Copies.of(events).states(1)
    keys = map(key_of, range(devices))
    _append(store, sorted((row_of(key, _WRITER), key, next(states)) for key in keys))
    return next(states)


async def _write(settings: Settings, each: int, events: int) -> Sequence[_Row]:
    """Write the changelogs; returns the rows in order."""
    producer, states = BatchProducer(settings), Copies.of(events).states(1)
    numbers, rows = iter(range(each)), []
    while some := list(islice(numbers, _BATCH)):
        made = [(key_of(number), next(states)) for number in some]
        pairs = [(_WRITER + key, value) for key, value in made]
        name = topics(settings).changelog.name
        for number in range(settings.partitions):
            await producer.send(name, number, pairs)
        rows += [(row_of(key, _WRITER), key, value) for key, value in made]
    await producer.stop()
    rows.sort()
    return rows


def _append(store: LocalState, rows: Sequence[_Row]) -> None:
    hour = hour_of(rows[0][2], store.rules)  # copies have the same times
    entries = iter(rows)
    while some := list(islice(entries, 100_000)):
        with store._file.changing() as tables:  # noqa: SLF001  # rows in order
            tables.append(ROWS, [(row, packed(hour, key, value)) for row, key, value in some])
            tables.append(HOURS, [(entry_of(hour, row), b"") for row, _, _ in some])


def sent(settings: Settings, records: Iterable[tuple[int, tuple[bytes, bytes]]]) -> int:
    """Send records of `beacons`, by partition; returns their number once Kafka has them."""
    from confluent_kafka import Producer  # noqa: PLC0415  # the others need none

    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers, "linger.ms": 5})
    count = 0
    for partition, (key, value) in records:
        producer.produce(topics(settings).beacons.name, value, key, partition)
        count += 1
        producer.poll(0)
    assert producer.flush(60) == 0
    return count
