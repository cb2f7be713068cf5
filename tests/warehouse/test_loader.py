"""Kafka to DuckDB: every outcome once, holes refused, positions from the database alone."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import duckdb
import pytest
from confluent_kafka.admin import AdminClient
from factories import click, make_event, purchase
from kafka_outcomes import OutcomeTopics, loading, positions, rows, run_loader
from logged import logged
from processes import Verb, wait_for
from tables import differing, exported

from pipeline.config import Settings
from pipeline.domain.outcomes import Outcome
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.warehouse.database import DatabaseError

COUNTS = "SELECT partition, next_origin, records, events FROM ledger ORDER BY ALL"


@pytest.fixture
def topics(settings: Settings) -> OutcomeTopics:
    return OutcomeTopics(settings)


def shopping(topics: OutcomeTopics, devices: int = 12, seed: int = 1) -> list[Outcome]:
    """Clicks, repeats and purchases of several devices, in an order of arrival."""
    dice = random.Random(seed)  # noqa: S311  # which shopper comes next
    found = []
    for step in range(devices * 5):
        number = dice.randrange(devices)
        log = topics.logs[number % len(topics.logs)]
        event = dice.choice([click, purchase, make_event])(minute=step, event_id=None)
        found.append(log.send(event, device=f"d:{number}"))
    return found


def test_all_outcomes_and_rejects_are_in_the_snapshot_once(topics: OutcomeTopics) -> None:
    outcomes = shopping(topics)
    topics.write(outcomes)
    topics.reject("unknown_event_type", "missing_field")
    topics.load()
    settings = topics.settings
    assert rows(settings, COUNTS) == [
        (log.partition, log.offset, log.offset, log.offset) for log in topics.logs
    ]
    assert rows(settings, "SELECT count(*) FROM events") == [(len(outcomes),)]
    refused = rows(settings, 'SELECT "index", reason FROM rejected_events ORDER BY ALL')
    assert refused == [(0, "unknown_event_type"), (1, "missing_field")]


def test_a_rejected_event_that_ingest_sends_again_is_stored_once(topics: OutcomeTopics) -> None:
    request_id, later = uuid4().hex, uuid4().hex
    topics.reject("too_old", request_id=request_id)
    topics.load()
    topics.reject("too_old", "too_large", request_id=request_id)
    topics.reject("too_old", request_id=later)
    topics.load()
    assert rows(
        topics.settings,
        "SELECT replace(CAST(request_id AS VARCHAR), '-', ''), index FROM rejected_events",
    ) == [(request_id, 0), (request_id, 1), (later, 0)]


def test_what_a_worker_sends_again_changes_nothing(topics: OutcomeTopics, tmp_path: Path) -> None:
    outcomes = shopping(topics)
    topics.write(outcomes)
    topics.load()
    before = exported(topics.settings.database, tmp_path / "before")
    ledger = rows(topics.settings, COUNTS)
    topics.write(outcomes[20:])  # a run whose commit was lost
    topics.write(outcomes[:1])  # one old outcome
    topics.load()
    assert differing(before, exported(topics.settings.database, tmp_path / "after")) == []
    assert rows(topics.settings, COUNTS) == ledger


def test_a_hole_is_refused_with_partition_and_offsets_and_earlier_outcomes_are_kept(
    topics: OutcomeTopics,
) -> None:
    log = topics.logs[1]
    outcomes = [log.send(click(minute)) for minute in range(9)]
    topics.write(outcomes[:3])
    topics.load()
    topics.write(outcomes[3:4] + outcomes[6:])
    with pytest.raises(DatabaseError, match="partition 1: offsets 4-5 of beacons have no outcome"):
        run_loader(topics.settings)
    # Nothing of that transaction, and nothing that a later start steps over.
    assert rows(topics.settings, COUNTS) == [(1, 3, 3, 3)]
    with pytest.raises(DatabaseError, match="offsets 4-5"):
        run_loader(topics.settings)


def test_a_hole_is_reported_in_one_line(
    topics: OutcomeTopics,
) -> None:
    outcomes = [topics.logs[0].send(click(minute)) for minute in range(3)]
    topics.write([outcomes[0], outcomes[2]])
    process = Verb("load", topics.settings)
    assert process.process is not None
    assert process.process.wait(60) == 1
    failure = process.said().strip().splitlines()[-1]
    assert "partition 0: offsets 1-1 of beacons have no outcome" in failure
    assert "Traceback" not in process.said()


def test_outcomes_of_other_rules_are_refused(topics: OutcomeTopics) -> None:
    other = OutcomeTopics(topics.settings.model_copy(update={"session_gap": timedelta(minutes=5)}))
    topics.write([other.logs[0].send(click())])
    with pytest.raises(DatabaseError, match="were made with other rules"):
        run_loader(topics.settings)


def test_a_database_of_other_rules_is_refused(topics: OutcomeTopics) -> None:
    topics.write([topics.logs[0].send(click())])
    topics.load()
    with pytest.raises(DatabaseError, match="was made with other rules"):
        run_loader(topics.settings.model_copy(update={"lookback": timedelta(days=1)}))


@pytest.mark.parametrize("name", ["beacons", "outcomes"])
def test_a_recreated_topic_is_refused(topics: OutcomeTopics, name: str) -> None:
    settings = topics.settings
    topics.write([topics.logs[0].send(click())])
    topics.load()
    topic = getattr(topics.topics, name)
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    admin.delete_topics([topic.name])[topic.name].result()
    wait_for(lambda: topic.name not in admin.list_topics(timeout=10).topics)
    create_topics(settings)
    with pytest.raises(DatabaseError, match="loaded from other topics than Kafka has now"):
        run_loader(settings)


def test_retention_that_overran_the_loader_is_an_error(topics: OutcomeTopics) -> None:
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415  # this test alone deletes records
    from kafka.structs import TopicPartition  # noqa: PLC0415

    settings, log = topics.settings, topics.logs[0]
    topics.write([log.send(click(minute)) for minute in range(3)])
    topics.load()
    topics.write([log.send(click(minute)) for minute in range(3, 9)])
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    admin.delete_records({TopicPartition(topics.topics.outcomes.name, 0): 5})
    admin.close()
    with pytest.raises(DatabaseError, match="retention overran the loader"):
        run_loader(settings)
    assert rows(settings, COUNTS) == [(0, 3, 3, 3)]


def test_a_new_warehouse_begins_with_the_rest_of_the_log(topics: OutcomeTopics) -> None:
    log = topics.logs[2]
    outcomes = [log.send(click(minute)) for minute in range(5)]
    topics.write(outcomes[3:])
    topics.load()
    assert rows(topics.settings, "SELECT first_origin, next_origin, records FROM ledger") == [
        (3, 5, 2)
    ]


def test_positions_come_from_the_database_alone(topics: OutcomeTopics) -> None:
    settings = topics.settings
    topics.write(shopping(topics))
    topics.reject("missing_field")
    topics.load()
    settings.live_database.unlink()
    settings.database.unlink()
    topics.load()  # all of it once more
    assert sum(row[2] for row in rows(settings, COUNTS)) == 60
    assert rows(settings, "SELECT count(*) FROM rejected_events") == [(1,)]


def test_a_snapshot_that_was_deleted_is_published_again(topics: OutcomeTopics) -> None:
    topics.write(shopping(topics))
    topics.load()
    topics.settings.database.unlink()
    topics.load()


def test_a_loader_resumes_from_a_copy_of_the_last_snapshot(topics: OutcomeTopics) -> None:
    settings, outcomes = topics.settings, shopping(topics)
    topics.write(outcomes[:40])
    topics.load()
    settings.database.rename(settings.live_database)
    topics.write(outcomes[40:])
    topics.load()
    assert sum(row[2] for row in rows(settings, COUNTS)) == 60


def test_a_second_loader_gets_one_line(topics: OutcomeTopics) -> None:
    process = Verb("load", topics.settings)
    try:
        wait_for(lambda: "loading into" in process.said())
        second = Verb("load", topics.settings, "second")
        assert second.process is not None
        assert second.process.wait(60) == 1
        lines = second.said().strip().splitlines()
        assert len(lines) == 1
        assert "is another loader running?" in lines[0]
        assert process.stop() == 0
    finally:
        process.kill()


def test_kills_at_any_instant_leave_what_one_quiet_run_leaves(
    topics: OutcomeTopics, tmp_path: Path
) -> None:
    settings, dice = topics.settings, random.Random(5)  # noqa: S311  # when it dies
    outcomes = shopping(topics, devices=40)
    process = Verb("load", settings)
    try:
        for start in range(0, len(outcomes), 20):
            topics.write(outcomes[start : start + 20])
            topics.reject("missing_field")
            process.keep()
            if start % 40:
                # From its start to well inside its work.
                time.sleep(dice.uniform(0, 2))
                process.kill()
        process.keep()
        wait_for(lambda: positions(settings) == topics.ends(), each=process.keep)
    finally:
        process.kill()
    assert "Traceback" not in process.said(), process.said()
    quiet = OutcomeTopics(settings.model_copy(update={"home": tmp_path / "quiet"}))
    quiet.load()
    for table in ("ledger", "positions", "duplicates"):
        assert rows(settings, f"FROM {table} ORDER BY ALL") == rows(
            quiet.settings, f"FROM {table} ORDER BY ALL"
        )
    left = exported(settings.database, tmp_path / "killed")
    assert differing(left, exported(quiet.settings.database, tmp_path / "calm")) == []


def test_it_survives_a_silent_kafka_and_ends_with_a_snapshot(
    topics: OutcomeTopics,
) -> None:
    with loading(topics.settings):
        pass
    assert positions(topics.settings) == {}
    with duckdb.connect(topics.settings.database, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(0,)]
    assert end_offsets(topics.settings, topics.topics.outcomes)


def test_another_zone_of_a_store_is_reported_and_changes_no_day(
    topics: OutcomeTopics, caplog: pytest.LogCaptureFixture
) -> None:
    for zone in ("Asia/Kathmandu", "UTC", "UTC"):
        topics.write([topics.logs[0].send(make_event(), timezone=zone)])
        topics.load()
    assert rows(topics.settings, "SELECT timezone FROM stores") == [("Asia/Kathmandu",)]
    said = [
        text
        for text in logged(caplog, "pipeline.warehouse")
        if "its days stay those of Asia/Kathmandu" in text
    ]
    assert len(said) == 2  # once by each loader
