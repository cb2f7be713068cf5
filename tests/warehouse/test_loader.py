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
from kafka_outcomes import KafkaLog, loading, positions, rows, run_loader
from processes import Verb, wait_for
from tables import differing, exported

from pipeline.config import Settings
from pipeline.domain.outcomes import Outcome
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.warehouse.database import DatabaseError

COUNTS = "SELECT partition, next_origin, records, events FROM ledger ORDER BY ALL"


@pytest.fixture
def kafka_log(settings: Settings) -> KafkaLog:
    return KafkaLog(settings)


def shopping(kafka_log: KafkaLog, devices: int = 12, seed: int = 1) -> list[Outcome]:
    """Clicks, repeats and purchases of several devices, in an order of arrival."""
    dice = random.Random(seed)  # noqa: S311  # which shopper comes next
    found = []
    for step in range(devices * 5):
        number = dice.randrange(devices)
        log = kafka_log.logs[number % len(kafka_log.logs)]
        event = dice.choice([click, purchase, make_event])(minute=step, event_id=None)
        found.append(log.send(event, device=f"d:{number}"))
    return found


def test_all_outcomes_and_rejects_are_in_the_snapshot_once(kafka_log: KafkaLog) -> None:
    outcomes = shopping(kafka_log)
    kafka_log.write(outcomes)
    kafka_log.refuse("unknown_event_type", "missing_field")
    kafka_log.load()
    settings = kafka_log.settings
    assert rows(settings, COUNTS) == [
        (log.partition, log.offset, log.offset, log.offset) for log in kafka_log.logs
    ]
    assert rows(settings, "SELECT count(*) FROM events") == [(len(outcomes),)]
    refused = rows(settings, 'SELECT "index", reason FROM rejected_events ORDER BY ALL')
    assert refused == [(0, "unknown_event_type"), (1, "missing_field")]


def test_what_ingest_refused_and_sends_again_is_there_once(kafka_log: KafkaLog) -> None:
    request_id, later = uuid4().hex, uuid4().hex
    kafka_log.refuse("too_old", request_id=request_id)
    kafka_log.load()
    kafka_log.refuse("too_old", "too_large", request_id=request_id)
    kafka_log.refuse("too_old", request_id=later)
    kafka_log.load()
    assert rows(
        kafka_log.settings,
        "SELECT replace(CAST(request_id AS VARCHAR), '-', ''), index FROM rejected_events",
    ) == [(request_id, 0), (request_id, 1), (later, 0)]


def test_what_a_worker_sends_again_changes_nothing(kafka_log: KafkaLog, tmp_path: Path) -> None:
    outcomes = shopping(kafka_log)
    kafka_log.write(outcomes)
    kafka_log.load()
    before = exported(kafka_log.settings.database, tmp_path / "before")
    ledger = rows(kafka_log.settings, COUNTS)
    kafka_log.write(outcomes[20:])  # a run whose commit was lost
    kafka_log.write(outcomes[:1])  # one old outcome
    kafka_log.load()
    assert differing(before, exported(kafka_log.settings.database, tmp_path / "after")) == []
    assert rows(kafka_log.settings, COUNTS) == ledger


def test_a_hole_is_refused_by_partition_and_offsets_and_what_came_before_it_stands(
    kafka_log: KafkaLog,
) -> None:
    log = kafka_log.logs[1]
    outcomes = [log.send(click(minute)) for minute in range(9)]
    kafka_log.write(outcomes[:3])
    kafka_log.load()
    kafka_log.write(outcomes[3:4] + outcomes[6:])
    with pytest.raises(DatabaseError, match="partition 1: offsets 4-5 of beacons have no outcome"):
        run_loader(kafka_log.settings)
    # Nothing of that transaction, and nothing that a later start steps over.
    assert rows(kafka_log.settings, COUNTS) == [(1, 3, 3, 3)]
    with pytest.raises(DatabaseError, match="offsets 4-5"):
        run_loader(kafka_log.settings)


def test_the_line_of_a_hole_is_all_that_the_process_says(
    kafka_log: KafkaLog,
) -> None:
    outcomes = [kafka_log.logs[0].send(click(minute)) for minute in range(3)]
    kafka_log.write([outcomes[0], outcomes[2]])
    process = Verb("load", kafka_log.settings)
    assert process.process is not None
    assert process.process.wait(60) == 1
    failure = process.said().strip().splitlines()[-1]
    assert "partition 0: offsets 1-1 of beacons have no outcome" in failure
    assert "Traceback" not in process.said()


def test_outcomes_of_other_rules_are_refused(kafka_log: KafkaLog) -> None:
    other = KafkaLog(kafka_log.settings.model_copy(update={"session_gap": timedelta(minutes=5)}))
    kafka_log.write([other.logs[0].send(click())])
    with pytest.raises(DatabaseError, match="were made with other rules"):
        run_loader(kafka_log.settings)


def test_a_database_of_other_rules_is_refused(kafka_log: KafkaLog) -> None:
    kafka_log.write([kafka_log.logs[0].send(click())])
    kafka_log.load()
    with pytest.raises(DatabaseError, match="was made with other rules"):
        run_loader(kafka_log.settings.model_copy(update={"lookback": timedelta(days=1)}))


@pytest.mark.parametrize("name", ["beacons", "outcomes"])
def test_a_topic_made_anew_is_refused(kafka_log: KafkaLog, name: str) -> None:
    settings = kafka_log.settings
    kafka_log.write([kafka_log.logs[0].send(click())])
    kafka_log.load()
    topic = getattr(kafka_log.topics, name)
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    admin.delete_topics([topic.name])[topic.name].result()
    wait_for(lambda: topic.name not in admin.list_topics(timeout=10).topics)
    create_topics(settings)
    with pytest.raises(DatabaseError, match="loaded from other topics than Kafka has now"):
        run_loader(settings)


def test_retention_that_overran_the_loader_is_no_jump(kafka_log: KafkaLog) -> None:
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415  # this test alone deletes records
    from kafka.structs import TopicPartition  # noqa: PLC0415

    settings, log = kafka_log.settings, kafka_log.logs[0]
    kafka_log.write([log.send(click(minute)) for minute in range(3)])
    kafka_log.load()
    kafka_log.write([log.send(click(minute)) for minute in range(3, 9)])
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    admin.delete_records({TopicPartition(kafka_log.topics.outcomes.name, 0): 5})
    admin.close()
    with pytest.raises(DatabaseError, match="retention overran the loader"):
        run_loader(settings)
    assert rows(settings, COUNTS) == [(0, 3, 3, 3)]


def test_a_new_warehouse_begins_with_what_is_left_of_the_log(kafka_log: KafkaLog) -> None:
    log = kafka_log.logs[2]
    outcomes = [log.send(click(minute)) for minute in range(5)]
    kafka_log.write(outcomes[3:])
    kafka_log.load()
    assert rows(kafka_log.settings, "SELECT first_origin, next_origin, records FROM ledger") == [
        (3, 5, 2)
    ]


def test_positions_come_from_the_database_alone(kafka_log: KafkaLog) -> None:
    settings = kafka_log.settings
    kafka_log.write(shopping(kafka_log))
    kafka_log.refuse("missing_field")
    kafka_log.load()
    settings.live_database.unlink()
    settings.database.unlink()
    kafka_log.load()  # all of it once more
    assert sum(row[2] for row in rows(settings, COUNTS)) == 60
    assert rows(settings, "SELECT count(*) FROM rejected_events") == [(1,)]


def test_a_snapshot_that_was_deleted_is_published_again(kafka_log: KafkaLog) -> None:
    kafka_log.write(shopping(kafka_log))
    kafka_log.load()
    kafka_log.settings.database.unlink()
    kafka_log.load()


def test_a_loader_goes_on_from_a_copy_of_the_last_snapshot(kafka_log: KafkaLog) -> None:
    settings, outcomes = kafka_log.settings, shopping(kafka_log)
    kafka_log.write(outcomes[:40])
    kafka_log.load()
    settings.database.rename(settings.live_database)
    kafka_log.write(outcomes[40:])
    kafka_log.load()
    assert sum(row[2] for row in rows(settings, COUNTS)) == 60


def test_a_second_loader_is_told_in_one_line(kafka_log: KafkaLog) -> None:
    process = Verb("load", kafka_log.settings)
    try:
        wait_for(lambda: "loading into" in process.said())
        second = Verb("load", kafka_log.settings, "second")
        assert second.process is not None
        assert second.process.wait(60) == 1
        lines = second.said().strip().splitlines()
        assert len(lines) == 1
        assert "is another loader running?" in lines[0]
        assert process.stop() == 0
    finally:
        process.kill()


def test_kills_at_any_instant_leave_what_one_quiet_run_leaves(
    kafka_log: KafkaLog, tmp_path: Path
) -> None:
    settings, dice = kafka_log.settings, random.Random(5)  # noqa: S311  # when it dies
    outcomes = shopping(kafka_log, devices=40)
    process = Verb("load", settings)
    try:
        for start in range(0, len(outcomes), 20):
            kafka_log.write(outcomes[start : start + 20])
            kafka_log.refuse("missing_field")
            process.keep()
            if start % 40:
                # From its start to well inside its work.
                time.sleep(dice.uniform(0, 2))
                process.kill()
        process.keep()
        wait_for(lambda: positions(settings) == kafka_log.ends(), each=process.keep)
    finally:
        process.kill()
    assert "Traceback" not in process.said(), process.said()
    quiet = KafkaLog(settings.model_copy(update={"home": tmp_path / "quiet"}))
    quiet.load()
    for table in ("ledger", "positions", "duplicates"):
        assert rows(settings, f"FROM {table} ORDER BY ALL") == rows(
            quiet.settings, f"FROM {table} ORDER BY ALL"
        )
    left = exported(settings.database, tmp_path / "killed")
    assert differing(left, exported(quiet.settings.database, tmp_path / "calm")) == []


def test_it_waits_out_a_kafka_that_sends_nothing_and_ends_with_a_snapshot(
    kafka_log: KafkaLog,
) -> None:
    with loading(kafka_log.settings):
        pass
    assert positions(kafka_log.settings) == {}
    with duckdb.connect(kafka_log.settings.database, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(0,)]
    assert end_offsets(kafka_log.settings, kafka_log.topics.outcomes)
