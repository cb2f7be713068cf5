from __future__ import annotations

import gzip
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from taken import taken

from pipeline.config import Settings
from pipeline.delivery.publisher import MemoryPublisher, OnDurable, Record
from pipeline.replay.send import send
from pipeline.topics import Topic, topics


def event(device: str, number: int) -> dict[str, Any]:
    return {
        "event_type": "search",
        "timestamp": "2026-07-01T12:00:00Z",
        "session_id": "s",
        "device_id": device,
        "query": str(number),
    }


def write(path: Path, *lines: Any) -> str:
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(text)
    return str(path)


def by_device(records: list[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for _, value in records:
        beacon = json.loads(value)
        found[beacon["device_key"]] += [event["query"] for event in beacon["events"]]
    return found


def test_each_devices_events_reach_kafka_in_the_order_of_the_file(
    ingest: Any, settings: Settings, read_topic: Callable[[Topic], list[Any]], tmp_path: Path
) -> None:
    # Loose events of many devices, and among them bodies of one and of several devices.
    lines: list[Any] = []
    for number in range(600):
        device = f"d{number * 7 % 20}"
        match number % 50:
            case 48:
                lines.append({"events": [event(device, number)], "headers": {"user-agent": "x"}})
            case 49:
                other = f"d{number * 3 % 20}"
                both = [event(device, number), event(other, number)]
                lines.append({"events": both, "headers": {"user-agent": "x"}})
            case _:
                lines.append(event(device, number))
    path = write(tmp_path / "events.ndjson.gz", *lines)
    assert send([path], ingest.url, {"": ingest.token}) == 0
    found = read_topic(topics(settings).beacons)
    queries = by_device([(record.key, record.value) for record in found])
    assert len(queries) == 20
    for numbers in queries.values():
        assert numbers == sorted(numbers, key=int)
    assert sum(map(len, queries.values())) == 612


def test_a_recorded_request_keeps_its_time_store_and_headers(
    settings: Settings, serve: Any, tmp_path: Path
) -> None:
    kept = MemoryPublisher()
    ingest = serve(settings, kept)
    recorded = {
        "events": [event("d", 1)],
        "received_at": 1_735_689_600_000,
        "store": "past",
        "headers": {"Accept": "*/*", "Host": "elsewhere.example"},
    }
    path = write(tmp_path / "events.ndjson", recorded, event("d", 2))
    tokens = {"": ingest.token, "past": ingest.backfill_token}
    assert send([path], ingest.url, tokens) == 0
    beacons = {
        beacon["store_id"]: beacon
        for records in kept.published
        for _, value in taken(records).records
        for beacon in [json.loads(value)]
    }
    assert beacons["past"]["received_at"] == 1_735_689_600_000
    # Its headers name no browser, which is a fact of the recording; a loose event has no headers.
    assert beacons["past"]["request"]["is_server"] is True
    assert "is_server" not in beacons["shop"]["request"]


def test_a_bad_line_is_named_and_the_rest_goes_on(
    settings: Settings, serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = MemoryPublisher()
    ingest = serve(settings, kept)
    lines = [event("d", 1), "{", {"events": []}, ["no event"]]
    path = write(tmp_path / "events.ndjson", *lines, event("d", 3))
    assert send([path], ingest.url, {"": ingest.token}) == 0
    written = capsys.readouterr()
    assert [line.split(" ")[0] for line in sorted(written.err.splitlines())] == [
        f"{path}:{number}:" for number in (2, 3, 4)
    ]
    assert written.out.endswith("; 3 bad lines\n")
    queries = [by_device(taken(records).records)["d:d"] for records in kept.published]
    assert [query for sent in queries for query in sent] == ["1", "3"]
    assert send([path], ingest.url, {"": ingest.token}, strict=True) == 1


def test_a_request_without_a_token_is_an_error_and_the_rest_goes_on(
    settings: Settings, serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = MemoryPublisher()
    ingest = serve(settings, kept)
    named = {"events": [event("d", 2)], "store": "none"}
    others = [named, named, {**named, "store": "other"}]
    path = write(tmp_path / "events.ndjson", event("d", 1), *others, event("d", 3))
    assert send([path], ingest.url, {"": ingest.token}) == 1
    written = capsys.readouterr()
    # Once for each store.
    assert written.err.splitlines() == [
        f"{path}:2: no token for store none: --token none=TOKEN",
        f"{path}:4: no token for store other: --token other=TOKEN",
    ]
    assert written.out.startswith("sent 2 events in ")
    assert written.out.endswith("; 0 bad lines; 3 requests without a token\n")


def test_a_503_is_asked_again_and_nothing_overtakes_it(
    settings: Settings, serve: Any, tmp_path: Path
) -> None:
    class Flaky(MemoryPublisher):
        calls = 0

        def publish(self, records: list[Record], on_durable: OnDurable) -> None:
            Flaky.calls += 1
            if Flaky.calls % 3 == 1:
                on_durable("away")
            else:
                super().publish(records, on_durable)

    kept = Flaky()
    ingest = serve(settings, kept)
    lines = [
        {"events": [event("d", n)], "headers": {"user-agent": "Mozilla/5.0"}} for n in range(9)
    ]
    path = write(tmp_path / "events.ndjson", *lines)
    assert send([path], ingest.url, {"": ingest.token}) == 0
    records = [record for sent in kept.published for record in taken(sent).records]
    assert by_device(records) == {"d:d": [str(n) for n in range(9)]}


def test_a_lost_connection_is_tried_again(tmp_path: Path) -> None:
    seen: list[bytes] = []

    class Dropping(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.rfile.read(int(self.headers["content-length"])))
            if len(seen) > 1:
                self.send_response(204)
                self.end_headers()
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Dropping) as server:
        threading.Thread(target=server.serve_forever).start()
        path = write(tmp_path / "events.ndjson", event("d", 1))
        code = send([path], f"http://127.0.0.1:{server.server_port}/beacon", {"": "token"})
        server.shutdown()
    assert code == 0
    assert len(seen) == 2
    assert seen[0] == seen[1]


@pytest.mark.parametrize("token", ["wrong", None])
def test_it_stops_with_one_line_when_going_on_is_useless(
    settings: Settings,
    serve: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    token: str | None,
) -> None:
    url = serve(settings, MemoryPublisher()).url if token else "http://127.0.0.1:9/beacon"
    path = write(tmp_path / "events.ndjson", *[event(f"d{n}", n) for n in range(2000)])
    patience = timedelta(milliseconds=300)
    assert send([path], url, {"": token or "any"}, patience=patience) == 1
    *waited, failure = capsys.readouterr().err.splitlines()
    assert failure.startswith("send: ")
    # However many connections repeat their requests.
    expected = [] if token else [f"send: waiting for {url}: Connection refused"]
    assert waited == expected


def test_a_file_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.ndjson")
    assert send([missing], "http://127.0.0.1:9/beacon", {"": "t"}) == 1
    error = capsys.readouterr().err
    assert missing in error
    assert error.count("\n") == 1


def test_history_in_order_of_time_arrives_in_order_but_for_an_hour(
    settings: Settings, serve: Any, tmp_path: Path
) -> None:
    kept = MemoryPublisher()
    ingest = serve(settings, kept)
    begin, hour = 1_750_000_000_000, 3_600_000
    # Half a year, of which one lane has few events: what it gathers must not wait for weeks.
    lines = [
        {**event("rare" if number % 97 == 0 else f"d{number % 20}", number), "timestamp": at}
        for number, at in enumerate(range(begin, begin + 180 * 24 * hour, 2 * hour))
        for at in (at, at + hour // 2)
    ]
    assert (
        send([write(tmp_path / "events.ndjson", *lines)], ingest.url, {"": ingest.backfill_token})
        == 0
    )
    times = [
        fact["timestamp"]
        for records in kept.published
        for _, value in taken(records).records
        for fact in json.loads(value)["events"]
    ]
    assert len(times) == len(lines)
    latest, behind = 0, 0
    for at in times:
        latest = max(latest, at)
        behind = max(behind, latest - at)
    assert behind <= hour
