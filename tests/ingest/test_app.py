from __future__ import annotations

import asyncio
import json
import random
import socket
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.delivery.publisher import MemoryPublisher, OnDurable, Record
from pipeline.kafka.admin import create_topics
from pipeline.topics import Topic, topics

SEARCH = {
    "event_type": "search",
    "timestamp": "2026-07-01T12:00:00Z",
    "session_id": "s",
    "query": "shoes",
}

Read = Callable[[Topic], list[Any]]


def batch(*events: Any) -> dict[str, Any]:
    return {"events": list(events) or [SEARCH]}


def test_an_acknowledged_event_is_on_kafka_when_the_204_is_there(
    ingest: Any, settings: Settings, read_topic: Read
) -> None:
    answer = ingest.post(batch(), user_agent="")
    assert (answer.status, answer.data) == (204, b"")
    (record,) = read_topic(topics(settings).beacons)
    assert record.key == b"4:shop3:s:s"
    beacon = json.loads(record.value)
    assert beacon["received_at"] == 1_782_907_200_000
    assert beacon["request"] == {"is_server": True}
    assert beacon["raw"] == [SEARCH]


def test_one_record_per_device_in_order_of_first_appearance(
    ingest: Any, settings: Settings, read_topic: Read
) -> None:
    events = [{**SEARCH, "device_id": name, "query": str(n)} for n, name in enumerate("abab")]
    assert ingest.post(batch(*events)).status == 204
    found = {
        record.key: [event["query"] for event in json.loads(record.value)["events"]]
        for record in read_topic(topics(settings).beacons)
    }
    assert found == {b"4:shop3:d:a": ["0", "2"], b"4:shop3:d:b": ["1", "3"]}


def test_a_batch_of_only_invalid_events_is_204_and_all_of_it_is_kept(
    ingest: Any, settings: Settings, read_topic: Read
) -> None:
    assert ingest.post(b'{"events": [{"event_type":"view"}, 3]}').status == 204
    assert read_topic(topics(settings).beacons) == []
    rejected = [json.loads(record.value) for record in read_topic(topics(settings).rejected)]
    assert [(r["index"], r["raw"], r["store_id"]) for r in rejected] == [
        (0, '{"event_type":"view"}', "shop"),
        (1, "3", "shop"),
    ]


def test_the_refused_events_of_a_request_have_its_id_and_no_other_has_it(
    ingest: Any, settings: Settings, read_topic: Read
) -> None:
    for _ in range(2):
        assert ingest.post(b'{"events": [1, 1]}').status == 204
    rejected = [json.loads(record.value) for record in read_topic(topics(settings).rejected)]
    first, same, second, _ = (UUID(each["request_id"]) for each in rejected)
    assert first == same != second
    assert [each["index"] for each in rejected] == [0, 1, 0, 1]


def test_an_event_of_nearly_a_mebibyte_is_rejected_with_all_its_bytes(
    ingest: Any, settings: Settings, read_topic: Read
) -> None:
    # Random, so that compression cannot make it fit; a record too long would be 503 for ever.
    letters = random.Random(1).choices(string.ascii_letters + '"\\', k=960_000)  # noqa: S311
    event = {**SEARCH, "query": "".join(letters)}
    assert ingest.post(batch(event)).status == 204
    (record,) = read_topic(topics(settings).rejected)
    rejected = json.loads(record.value)
    assert rejected["reason"] == "too_large"
    assert json.loads(rejected["raw"]) == event


def test_the_right_to_backfill_replays_the_time_of_a_recorded_request(
    ingest: Any, settings: Settings, read_topic: Read
) -> None:
    body = {"received_at": "2025-01-01T00:00:01Z", **batch()}
    body["events"] = [{**SEARCH, "timestamp": "2025-01-01T00:00:00Z"}]
    assert ingest.post(body, token=ingest.backfill_token).status == 204
    assert ingest.post(body).status == 204
    (record,) = read_topic(topics(settings).beacons)
    assert json.loads(record.value)["received_at"] == 1_735_689_601_000
    (rejected,) = read_topic(topics(settings).rejected)
    assert json.loads(rejected.value)["reason"] == "too_old"


def test_a_client_that_leaves_does_not_take_its_events_along(
    ingest: Any, settings: Settings, read_topic: Read
) -> None:
    body = json.dumps(batch()).encode()
    headers = {"x-storefront-access-token": ingest.token}
    for _ in range(20):
        with ingest.connect() as connection:
            connection.sendall(_head(ingest, headers, f"content-length: {len(body)}") + body)
    assert ingest.post(batch()).status == 204
    # The last one came by another connection, so wait for what the others had in flight.
    for _ in range(50):
        found = read_topic(topics(settings).beacons)
        if len(found) == 21:
            break
    assert len(found) == 21


def test_what_cannot_be_made_durable_is_503_with_retry_after(
    settings: Settings, serve: Any
) -> None:
    class Full(MemoryPublisher):
        def publish(self, records: list[Record], on_durable: OnDurable) -> None:
            on_durable(f"no room for {len(records)}")

        async def is_ready(self) -> bool:
            return False

    ingest = serve(settings, Full())
    answer = ingest.post(batch())
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert ingest.page("/readyz").status == 503
    assert ingest.page("/livez").status == 200


def test_without_kafka_and_without_a_spool_the_answer_is_503_and_not_a_wait_without_end(
    settings: Settings, serve: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        away = settings.model_copy(update={"spool_bytes": 0, "kafka_bootstrap_servers": address})
        ingest = serve(away, KafkaPublisher(away))
        answer = ingest.post(batch())
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert ingest.page("/readyz").status == 503


def test_a_door_that_is_up_before_kafka_takes_events_once_kafka_is_there(
    settings: Settings, serve: Any, read_topic: Read
) -> None:
    create_topics(settings)
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    changed = {"ack_timeout": timedelta(seconds=1), "kafka_bootstrap_servers": f"127.0.0.1:{port}"}
    quick = settings.model_copy(update=changed)
    ingest = serve(quick, KafkaPublisher(quick))
    sent = [str(number) for number in range(50)]
    for query in sent:
        assert ingest.post(batch({**SEARCH, "query": query})).status == 204
    with _forwarding(port, settings.kafka_bootstrap_servers):
        until = time.monotonic() + 20
        while len(found := read_topic(topics(settings).beacons)) < len(sent):
            assert time.monotonic() < until
    taken = [json.loads(record.value)["events"][0]["query"] for record in found]
    assert taken == sent


@contextmanager
def _forwarding(port: int, bootstrap: str) -> Iterator[None]:
    """Let `port` be Kafka's first address; it names its own for all that follows."""
    host, there = bootstrap.split(":")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kafka_reader, kafka_writer = await asyncio.open_connection(host, int(there))
        await asyncio.gather(pump(reader, kafka_writer), pump(kafka_reader, writer))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.start_server(connected, "127.0.0.1", port))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def _head(ingest: Any, headers: dict[str, str], *more: str) -> bytes:
    lines = [f"POST /beacon HTTP/1.1\r\nhost: {ingest.url.split('/')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, *more, "", ""]).encode()
