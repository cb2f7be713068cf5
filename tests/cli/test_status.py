"""How `pipeline status` presents the numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from pipeline.status import ArchiveState, LedgerRow, PartitionLag, SnapshotState, Status
from pipeline.status.waiting import Flow, Waiting, span
from pipeline.warehouse.backup.last_backup import LastBackup

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
EMPTY = ArchiveState(0, 0, 0, None, None)
LEDGER = LedgerRow(next_origin=8, records=8, events=20, duplicates=3, failed=1, erased=2, expired=4)


def made(
    *,
    age: timedelta = timedelta(0),
    newest: timedelta | None = timedelta(0),
    archive: ArchiveState = EMPTY,
) -> SnapshotState:
    received = None if newest is None else NOW - newest
    return SnapshotState(NOW - age, received, {0: LEDGER}, rejected=2, archive=archive)


def status_of(snapshot: SnapshotState | None, *, end: int = 10, rejected: int = 2) -> Status:
    ledger = None if snapshot is None else snapshot.ledger[0]
    return Status(
        [PartitionLag(0, end, 9, ledger), PartitionLag(1, 0, None, None)], rejected, snapshot
    )


def test_behind_counts_the_records_and_rejected_events_that_the_snapshot_lacks() -> None:
    assert status_of(made()).behind == 2
    assert status_of(made(), rejected=5).behind == 5
    assert status_of(None).behind == 12
    assert not status_of(made(), end=8, rejected=3).is_published
    assert status_of(made(), end=8).is_published


def test_an_empty_partition_is_published() -> None:
    assert status_of(made()).partitions[1].behind == 0


def test_the_table_has_a_row_for_each_partition() -> None:
    answer = status_of(made()).table()
    assert [dict(zip(answer.columns, row, strict=True)) for row in answer.rows] == [
        {
            "partition": 0,
            "on Kafka": 10,
            "committed": 9,
            "published": 8,
            "behind": 2,
            "records": 8,
            "events": 20,
            "duplicates": 3,
            "failed": 1,
            "erased": 2,
            "expired": 4,
        },
        {
            "partition": 1,
            "on Kafka": 0,
            "committed": None,
            "published": 0,
            "behind": 0,
            "records": None,
            "events": None,
            "duplicates": None,
            "failed": None,
            "erased": None,
            "expired": None,
        },
    ]


def test_ages_of_the_snapshot_and_of_its_newest_event() -> None:
    found = status_of(made(age=timedelta(seconds=4), newest=timedelta(hours=30, seconds=7)))
    assert found.ages(NOW).splitlines() == [
        "rejected events: 2, published: 2",
        "snapshot: published 0:00:04 ago; newest event received 1 day, 6:00:07 ago",
        "archive: empty",
        "backup: none",
    ]


def test_a_clock_that_is_ahead_makes_no_negative_age() -> None:
    assert "published 0:00:00 ago" in status_of(made(age=timedelta(seconds=-3))).ages(NOW)


def test_a_snapshot_without_events_and_no_snapshot_say_so() -> None:
    assert status_of(made(newest=None)).ages(NOW).splitlines()[1].endswith("; no event yet")
    assert status_of(None).ages(NOW) == "rejected events: 2; no snapshot yet"


def test_how_the_snapshot_is_made_follows_its_ages() -> None:
    found = status_of(replace(made(), making="2.10 GB, copied in 7.0 s: up to 77 s old"))
    assert found.ages(NOW).splitlines()[2:] == [
        "snapshot: 2.10 GB, copied in 7.0 s: up to 77 s old",
        "archive: empty",
        "backup: none",
    ]


def test_what_has_gone_is_told_by_what_is_kept() -> None:
    found = status_of(replace(made(), derived_from=datetime(2025, 6, 1, tzinfo=UTC)))
    last = found.ages(NOW).splitlines()[-1]
    assert last == "sessions, orders and conversions: from 2025-06-01 on"


def test_the_archive_is_told_by_its_days_and_sizes() -> None:
    days = date(2026, 1, 1), date(2026, 5, 31)
    archive = ArchiveState(151, 1_234_567, 67_891_234, *days)
    assert status_of(made(archive=archive)).ages(NOW).splitlines()[2] == (
        "archive: 1,234,567 events of 2026-01-01 to 2026-05-31 in 151 files, 67.9 MB"
    )


def test_the_newest_backup_is_named() -> None:
    backup = LastBackup(
        NOW - timedelta(hours=3), "/mnt/backups/20260701T090000.000Z", 1_234, 56_789_012
    )
    found = replace(status_of(made()), backup=backup)
    assert found.ages(NOW).splitlines()[-1] == (
        "backup: taken 3:00:00 ago, /mnt/backups/20260701T090000.000Z, 1,234 files, 56.8 MB"
    )


def test_without_kafka_nothing_is_published_and_nothing_is_behind() -> None:
    found = Status([PartitionLag(0, None, None, LEDGER)], None, made())
    assert (found.behind, found.is_published) == (None, False)
    assert found.table().rows[0][:5] == (0, None, None, 8, None)
    assert found.ages(NOW).splitlines()[0] == "rejected events: ?, published: 2"


def test_a_span_is_told_in_its_two_largest_units() -> None:
    told = {
        timedelta(days=5, hours=3, minutes=59): "5 d 3 h",
        timedelta(days=2): "2 d 0 h",
        timedelta(hours=1, seconds=59): "1 h 0 min",
        timedelta(minutes=2, seconds=5): "2 min 5 s",
        timedelta(seconds=7): "7 s",
        timedelta(seconds=-7): "0 s",
    }
    assert {time: span(time) for time in told} == told


def waiting(partition: int, *, minutes: int, records: int = 1) -> Waiting:
    at = NOW - timedelta(minutes=minutes)
    expires = at + timedelta(days=7)
    return Waiting("unprocessed beacons", "beacons", partition, records, at, expires)


def test_what_waits_is_told_by_its_oldest_record_and_when_kafka_deletes_it() -> None:
    found = Flow((waiting(0, minutes=5), waiting(1, minutes=90, records=1200)), 12.34, 0.0)
    assert found.oldest(NOW) == timedelta(minutes=90)
    assert found.lines(NOW) == [
        "last 5 minutes: 12.3 beacons/s came in, 0.0/s were processed",
        "unprocessed beacons: 1,201, the oldest for 1 h 30 min; they expire in 6 d 22 h",
    ]


def test_nothing_waits_at_the_end_of_the_log() -> None:
    found = Flow((), 1.0, 1.0)
    assert found.oldest(NOW) == timedelta(0)
    assert len(found.lines(NOW)) == 1
