"""What operators ask of ingest, and what it answers when it will not take a beacon."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from processes import wait_for
from prometheus_client.parser import text_string_to_metric_families

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.delivery.publisher import MemoryPublisher, OnDurable, Record
from pipeline.ingest.explain import Explained
from pipeline.ingest.stores import StoreEntry, Stores, new_token
from pipeline.ingest.stores_file import changing, write_stores

EVENT = {
    "event_type": "search",
    "timestamp": "2026-07-01T12:00:00Z",
    "session_id": "s",
    "query": "shoes",
}
BODY = {"events": [EVENT]}
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


class Failing(MemoryPublisher):
    def publish(self, records: list[Record], on_durable: OnDurable) -> None:  # noqa: ARG002
        raise LookupError(f"a slip of ours: {len(records)}")


def metric(ingest: Any, name: str, label: str = "") -> float:
    text = ingest.page("/metrics").data.decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and label in ("", *sample.labels.values()):
                return sample.value
    return 0.0


def test_ready_says_that_kafka_answers(ingest: Any) -> None:
    # Until Kafka has answered once, records take the way of the spool.
    wait_for(lambda: ingest.page("/readyz").json()["status"] == "ready")
    answer = ingest.page("/readyz")
    assert answer.status == 200
    words = {"status": "ready", "kafka": "answers", "spool": "empty"}
    words |= {"clock": "not compared with Kafka's clock yet", "downstream": "moves"}
    words |= {"stores": "as in their file"}
    assert answer.json() == words


def test_a_stores_file_that_cannot_be_used_is_no_longer_ready_without_a_word(
    serve: Callable[..., Any], settings: Settings
) -> None:
    write_stores(settings.stores, {"shop": {"tokens_sha256": [new_token()[1]]}})
    ingest = serve(settings, MemoryPublisher(), stores=Stores.load(settings.stores))

    def status() -> str:
        return str(ingest.page("/readyz").json()["status"])

    wait_for(lambda: status() == "ready")
    whole = settings.stores.read_text()
    settings.stores.write_text(f"{whole}\n[garbage")
    wait_for(lambda: status() == "degraded")
    answer = ingest.page("/readyz")
    assert answer.status == 200
    assert answer.json()["stores"].startswith("stay as they were: ")
    settings.stores.write_text(whole)
    wait_for(lambda: status() == "ready")


def without_kafka(settings: Settings) -> Settings:
    return settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})


def test_with_only_the_spool_it_is_ready_and_says_degraded(
    settings: Settings, serve: Callable[..., Any]
) -> None:
    ingest = serve(settings, KafkaPublisher(without_kafka(settings)))
    assert [ingest.post(BODY).status for _ in range(3)] == [204] * 3
    answer = ingest.page("/readyz")
    assert (answer.status, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["kafka"] == "does not answer"
    assert re.fullmatch(r"3 records, the oldest \d+ s old", answer.json()["spool"])
    assert metric(ingest, "pipeline_ingest_spool_records") == 3
    assert metric(ingest, "pipeline_ingest_spool_bytes") > 0
    assert metric(ingest, "pipeline_ingest_spool_oldest_seconds") >= 0
    assert metric(ingest, "pipeline_ingest_circuit_open") == 1


def test_without_kafka_and_spool_it_is_not_ready_and_says_why(
    settings: Settings, serve: Callable[..., Any]
) -> None:
    (settings.home / "spool").write_text("in the way of the folder")
    ingest = serve(settings, KafkaPublisher(without_kafka(settings)))
    answer = ingest.page("/readyz")
    assert answer.status == 503
    assert answer.json()["status"] == "unavailable"
    assert answer.json()["kafka"] == "does not answer"
    assert ingest.post(BODY).status == 503
    assert ingest.page("/livez").status == 200


def test_what_is_answered_is_counted(settings: Settings, serve: Callable[..., Any]) -> None:
    ingest = serve(settings, MemoryPublisher())
    ingest.post({"events": [EVENT, EVENT, {"event_type": "view"}]})
    ingest.post(BODY, token="unknown")
    assert metric(ingest, "pipeline_ingest_requests_total", "204") == 1
    assert metric(ingest, "pipeline_ingest_requests_total", "401") == 1
    with ingest.connect() as connection:
        connection.sendall(b"\x16\x03\x01")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert metric(ingest, "pipeline_ingest_malformed_total", "400") == 1
    assert metric(ingest, "pipeline_ingest_requests_total", "400") == 0
    assert metric(ingest, "pipeline_ingest_events_total", "search") == 2
    assert metric(ingest, "pipeline_ingest_rejected_total", "unknown_event_type") == 1
    assert metric(ingest, "pipeline_ingest_body_bytes_total") > 100
    assert metric(ingest, "pipeline_ingest_ack_seconds_count") == 1
    assert metric(ingest, "pipeline_ingest_stores") == 2


def test_over_the_rate_is_429_with_retry_after_and_cors_and_counted(
    settings: Settings, serve: Callable[..., Any]
) -> None:
    slow = settings.model_copy(update={"requests_per_second": 0.5, "burst": 2})
    ingest = serve(slow, MemoryPublisher())
    origin = {"origin": "https://shop.example"}
    answers = [ingest.post(BODY, **origin) for _ in range(3)]
    assert [answer.status for answer in answers] == [204, 204, 429]
    assert answers[2].headers["retry-after"] == "2"
    assert answers[2].headers["access-control-allow-origin"] == origin["origin"]
    assert ingest.post(BODY, token=ingest.backfill_token).status == 204
    assert metric(ingest, "pipeline_ingest_limited_total", "shop") == 1
    assert metric(ingest, "pipeline_ingest_requests_total", "429") == 1


def test_a_slip_of_ours_is_500_with_cors_and_the_next_request_is_answered(
    settings: Settings, serve: Callable[..., Any]
) -> None:
    ingest = serve(settings, Failing())
    for _ in range(2):
        answer = ingest.post(BODY, origin="https://shop.example")
        assert answer.status == 500
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "slip" not in answer.data.decode()
    assert metric(ingest, "pipeline_ingest_requests_total", "500") == 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "PROPFIND"])
def test_another_method_than_post_is_405_with_allow(
    settings: Settings, serve: Callable[..., Any], method: str
) -> None:
    ingest = serve(settings, MemoryPublisher())
    answer = ingest.http.request(method, ingest.url)
    assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS")
    for page in ("/livez", "/metrics"):
        status = ingest.page(page, method).status
        assert status == (200 if method in ("GET", "HEAD") else 405)


def test_another_path_is_404_and_says_nothing(settings: Settings, serve: Any) -> None:
    ingest = serve(settings, MemoryPublisher())
    for at in (ingest, ingest.at_admin()):
        for path in ("/", "/beacon/", "/Beacon", "/explain", "/docs", "/metrics/", "/beacon%00"):
            for method in ("GET", "POST", "OPTIONS"):
                assert_not_found(at.http.request(method, at.url.replace("/beacon", path)))


def assert_not_found(answer: Any) -> None:
    assert (answer.status, answer.json()) == (404, {"error": "Not found"})
    assert set(answer.headers) <= {"date", "content-type", "content-length"}


def test_strangers_reach_no_page_of_operators_and_operators_no_beacons(
    settings: Settings, serve: Any
) -> None:
    ingest = serve(settings, MemoryPublisher(), explained=Explained())
    for page in ("/livez", "/readyz", "/metrics", "/explain", "/explain.json"):
        assert ingest.page(page).status == 200
        for method in ("GET", "HEAD", "POST"):
            answer = ingest.http.request(method, ingest.url.replace("/beacon", page))
            assert answer.status == 404
    assert_not_found(ingest.at_admin().post(BODY))


def test_a_name_of_a_stranger_that_leads_here_reads_no_page(settings: Settings, serve: Any) -> None:
    ingest = serve(settings, MemoryPublisher())
    for page in ("/livez", "/readyz", "/metrics"):
        assert_not_found(ingest.page(page, host="evil.example:8082"))
        assert ingest.page(page, host="localhost:8082").status == 200
    opened = settings.model_copy(update={"admin_host": "0.0.0.0"})  # noqa: S104  # the case
    assert serve(opened, MemoryPublisher()).page("/metrics", host="ingest-1:8082").status == 200


def test_a_running_ingest_follows_the_stores_file_and_the_ends_in_it(
    settings: Settings, serve: Callable[..., Any], tmp_path: Path
) -> None:
    (old, old_digest), (new, new_digest) = new_token(), new_token()
    path = tmp_path / "stores.toml"
    write_stores(path, {"a": StoreEntry(tokens_sha256=[old_digest])})
    ingest = serve(settings, MemoryPublisher(), stores=Stores.load(path))
    assert ingest.post(BODY, token=old).status == 204
    # The ingest's clock stands at noon.
    with changing(path) as entries:
        entries["a"].tokens_sha256 = [old_digest, new_digest]
        entries["a"].token_ends = {old_digest: NOW + timedelta(days=7)}
    wait_for(lambda: ingest.post(BODY, token=new).status == 204)
    assert ingest.post(BODY, token=old).status == 204
    with changing(path) as entries:
        entries["a"].token_ends = {old_digest: NOW}
    wait_for(lambda: ingest.post(BODY, token=old).status == 401)
    path.write_text("[stores")
    wait_for(lambda: metric(ingest, "pipeline_ingest_stores_outdated") == 1)
    assert ingest.post(BODY, token=new).status == 204
