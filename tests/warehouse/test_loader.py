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
from kafka_outcomes import Answered, loading, positions, rows, run_loader
from processes import Verb, wait_for
from tables import differing, exported

from pipeline.config import Settings
from pipeline.domain.outcomes import Outcome
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.warehouse.database import DatabaseError

COUNTS = "SELECT partition, next_origin, records, events FROM ledger ORDER BY ALL"


@pytest.fixture
def answered(settings: Settings) -> Answered:
    return Answered(settings)


def shopping(answered: Answered, devices: int = 12, seed: int = 1) -> list[Outcome]:
    """Clicks, repeats and purchases of several devices, in an order of arrival."""
    dice = random.Random(seed)  # noqa: S311  # which shopper comes next
    found = []
    for step in range(devices * 5):
        number = dice.randrange(devices)
        log = answered.logs[number % len(answered.logs)]
        event = dice.choice([click, purchase, make_event])(minute=step, event_id=None)
        found.append(log.send(event, device=f"d:{number}"))
    return found


def test_all_outcomes_and_rejects_are_in_the_snapshot_once(answered: Answered) -> None:
    outcomes = shopping(answered)
    answered.write(outcomes)
    answered.refuse("unknown_event_type", "missing_field")
    answered.load()
    settings = answered.settings
    assert rows(settings, COUNTS) == [
        (log.partition, log.offset, log.offset, log.offset) for log in answered.logs
    ]
    assert rows(settings, "SELECT count(*) FROM events") == [(len(outcomes),)]
    refused = rows(settings, 'SELECT "index", reason FROM rejected_events ORDER BY ALL')
    assert refused == [(0, "unknown_event_type"), (1, "missing_field")]


def test_what_ingest_refused_and_sends_again_is_there_once(answered: Answered) -> None:
    request_id, later = uuid4().hex, uuid4().hex
    answered.refuse("too_old", request_id=request_id)
    answered.load()
    answered.refuse("too_old", "too_large", request_id=request_id)
    answered.refuse("too_old", request_id=later)
    answered.load()
    assert rows(
        answered.settings,
        "SELECT replace(CAST(request_id AS VARCHAR), '-', ''), index FROM rejected_events",
    ) == [(request_id, 0), (request_id, 1), (later, 0)]


def test_what_a_worker_sends_again_changes_nothing(answered: Answered, tmp_path: Path) -> None:
    outcomes = shopping(answered)
    answered.write(outcomes)
    answered.load()
    before = exported(answered.settings.database, tmp_path / "before")
    ledger = rows(answered.settings, COUNTS)
    answered.write(outcomes[20:])  # a run whose commit was lost
    answered.write(outcomes[:1])  # one old outcome
    answered.load()
    assert differing(before, exported(answered.settings.database, tmp_path / "after")) == []
    assert rows(answered.settings, COUNTS) == ledger


def test_a_hole_is_refused_by_partition_and_offsets_and_what_came_before_it_stands(
    answered: Answered,
) -> None:
    log = answered.logs[1]
    outcomes = [log.send(click(minute)) for minute in range(9)]
    answered.write(outcomes[:3])
    answered.load()
    answered.write(outcomes[3:4] + outcomes[6:])
    with pytest.raises(DatabaseError, match="partition 1: offsets 4-5 of beacons have no outcome"):
        run_loader(answered.settings)
    # Nothing of that transaction, and nothing that a later start steps over.
    assert rows(answered.settings, COUNTS) == [(1, 3, 3, 3)]
    with pytest.raises(DatabaseError, match="offsets 4-5"):
        run_loader(answered.settings)


def test_the_line_of_a_hole_is_all_that_the_process_says(
    answered: Answered,
) -> None:
    outcomes = [answered.logs[0].send(click(minute)) for minute in range(3)]
    answered.write([outcomes[0], outcomes[2]])
    process = Verb("load", answered.settings)
    assert process.process is not None
    assert process.process.wait(60) == 1
    failure = process.said().strip().splitlines()[-1]
    assert "partition 0: offsets 1-1 of beacons have no outcome" in failure
    assert "Traceback" not in process.said()


def test_outcomes_of_other_rules_are_refused(answered: Answered) -> None:
    other = Answered(answered.settings.model_copy(update={"session_gap": timedelta(minutes=5)}))
    answered.write([other.logs[0].send(click())])
    with pytest.raises(DatabaseError, match="were made with other rules"):
        run_loader(answered.settings)


def test_a_database_of_other_rules_is_refused(answered: Answered) -> None:
    answered.write([answered.logs[0].send(click())])
    answered.load()
    with pytest.raises(DatabaseError, match="was made with other rules"):
        run_loader(answered.settings.model_copy(update={"lookback": timedelta(days=1)}))


@pytest.mark.parametrize("name", ["beacons", "outcomes"])
def test_a_topic_made_anew_is_refused(answered: Answered, name: str) -> None:
    settings = answered.settings
    answered.write([answered.logs[0].send(click())])
    answered.load()
    topic = getattr(answered.topics, name)
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    admin.delete_topics([topic.name])[topic.name].result()
    wait_for(lambda: topic.name not in admin.list_topics(timeout=10).topics)
    create_topics(settings)
    with pytest.raises(DatabaseError, match="loaded from other topics than Kafka has now"):
        run_loader(settings)


def test_retention_that_overran_the_loader_is_no_jump(answered: Answered) -> None:
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415  # this test alone deletes records
    from kafka.structs import TopicPartition  # noqa: PLC0415

    settings, log = answered.settings, answered.logs[0]
    answered.write([log.send(click(minute)) for minute in range(3)])
    answered.load()
    answered.write([log.send(click(minute)) for minute in range(3, 9)])
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    admin.delete_records({TopicPartition(answered.topics.outcomes.name, 0): 5})
    admin.close()
    with pytest.raises(DatabaseError, match="retention overran the loader"):
        run_loader(settings)
    assert rows(settings, COUNTS) == [(0, 3, 3, 3)]


def test_a_new_warehouse_begins_with_what_is_left_of_the_log(answered: Answered) -> None:
    log = answered.logs[2]
    outcomes = [log.send(click(minute)) for minute in range(5)]
    answered.write(outcomes[3:])
    answered.load()
    assert rows(answered.settings, "SELECT first_origin, next_origin, records FROM ledger") == [
        (3, 5, 2)
    ]


def test_positions_come_from_the_database_alone(answered: Answered) -> None:
    settings = answered.settings
    answered.write(shopping(answered))
    answered.refuse("missing_field")
    answered.load()
    settings.live_database.unlink()
    settings.database.unlink()
    answered.load()  # all of it once more
    assert sum(row[2] for row in rows(settings, COUNTS)) == 60
    assert rows(settings, "SELECT count(*) FROM rejected_events") == [(1,)]


def test_a_snapshot_that_was_deleted_is_published_again(answered: Answered) -> None:
    answered.write(shopping(answered))
    answered.load()
    answered.settings.database.unlink()
    answered.load()


def test_a_loader_goes_on_from_a_copy_of_the_last_snapshot(answered: Answered) -> None:
    settings, outcomes = answered.settings, shopping(answered)
    answered.write(outcomes[:40])
    answered.load()
    settings.database.rename(settings.live_database)
    answered.write(outcomes[40:])
    answered.load()
    assert sum(row[2] for row in rows(settings, COUNTS)) == 60


def test_a_second_loader_is_told_in_one_line(answered: Answered) -> None:
    process = Verb("load", answered.settings)
    try:
        wait_for(lambda: "loading into" in process.said())
        second = Verb("load", answered.settings, "second")
        assert second.process is not None
        assert second.process.wait(60) == 1
        lines = second.said().strip().splitlines()
        assert len(lines) == 1
        assert "is another loader running?" in lines[0]
        assert process.stop() == 0
    finally:
        process.kill()


def test_kills_at_any_instant_leave_what_one_quiet_run_leaves(
    answered: Answered, tmp_path: Path
) -> None:
    settings, dice = answered.settings, random.Random(5)  # noqa: S311  # when it dies
    outcomes = shopping(answered, devices=40)
    process = Verb("load", settings)
    try:
        for start in range(0, len(outcomes), 20):
            answered.write(outcomes[start : start + 20])
            answered.refuse("missing_field")
            process.keep()
            if start % 40:
                # From its start to well inside its work.
                time.sleep(dice.uniform(0, 2))
                process.kill()
        process.keep()
        wait_for(lambda: positions(settings) == answered.ends(), each=process.keep)
    finally:
        process.kill()
    assert "Traceback" not in process.said(), process.said()
    quiet = Answered(settings.model_copy(update={"home": tmp_path / "quiet"}))
    quiet.load()
    for table in ("ledger", "positions", "duplicates"):
        assert rows(settings, f"FROM {table} ORDER BY ALL") == rows(
            quiet.settings, f"FROM {table} ORDER BY ALL"
        )
    left = exported(settings.database, tmp_path / "killed")
    assert differing(left, exported(quiet.settings.database, tmp_path / "calm")) == []


def test_it_waits_out_a_kafka_that_sends_nothing_and_ends_with_a_snapshot(
    answered: Answered,
) -> None:
    with loading(answered.settings):
        pass
    assert positions(answered.settings) == {}
    with duckdb.connect(answered.settings.database, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(0,)]
    assert end_offsets(answered.settings, answered.topics.outcomes)
