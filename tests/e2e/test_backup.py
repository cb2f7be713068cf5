"""`pipeline backup`, `export` and `restore` of a home under load, on a real Kafka."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from beacons import BeaconProducer, accepted, write_traffic
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from exported import relation
from kafka_outcomes import loading, positions, rows, run_loader
from processes import Verb, environment, wait_for, wait_published
from tables import assert_those_of_a_quiet_day, broken_checks

from pipeline.config import Settings
from pipeline.ingest.accept import Accepted
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.status import status
from pipeline.topics import topics
from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.backup.contents import Backup
from pipeline.warehouse.database import DatabaseError

# Dies when it has copied some of the files.
DIES = """
import os, signal
from pipeline.cli.main import main
from pipeline.warehouse.backup import taking
copy, left = taking.copy, [3]

def counted(*given, **named):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return copy(*given, **named)

taking.copy = counted
main(["backup", os.environ["BACKUPS"]])
"""


@pytest.fixture
def busy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a loader that archives all the time."""
    defaults = Archiver.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "fewest", 50)
    monkeypatch.setitem(defaults, "interval", timedelta(milliseconds=50))
    monkeypatch.setitem(defaults, "most_files", 8)
    write_stores(settings.stores, {"shop": {"tokens_sha256": ["0" * 64]}})
    return settings.model_copy(update={"archive_after": timedelta(days=1)})


@contextmanager
def sending(settings: Settings, requests: list[Accepted]) -> Iterator[None]:
    """Traffic while the `with` lasts; all of it is sent at its end."""
    producer, is_over = BeaconProducer(settings), threading.Event()

    def send() -> None:
        for first in range(0, len(requests), 20):
            producer.send(requests[first : first + 20])
            is_over.wait(0.1)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def run(settings: Settings, *arguments: str, **others: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**environment(settings), **others},
        cwd=settings.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.timeout(600)
def test_a_home_under_load_is_backed_up_and_goes_on_elsewhere(
    busy: Settings, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    create_topics(busy)
    backups, lake = tmp_path_factory.mktemp("backups"), tmp_path_factory.mktemp("lake")
    traffic = write_traffic(tmp_path / "traffic.ndjson", devices=120, days=14)
    requests = list(accepted(traffic))
    half = len(requests) // 2
    worker = Verb("worker", busy)
    try:
        with loading(busy):
            BeaconProducer(busy).send(requests[:half])
            wait_for(lambda: positions(busy) != {} and len(archived(busy)) > 2)
            with sending(busy, requests[half : half + half // 2]):
                killed = run(busy, "-c", DIES, BACKUPS=str(backups))
                assert killed.returncode == -signal.SIGKILL
                first, second = (backed_up(busy, backups) for _ in range(2))
                for _ in range(2):
                    done = run(busy, "-m", "pipeline", "export", str(lake))
                    assert (done.returncode, done.stderr) == (0, "")
                    assert_one_state(lake)
            said = status(busy).ages(Backup.read(second).taken_at)
            assert f"backup: taken 0:00:00 ago, {second}, " in said
        shared = {path.stat().st_ino for path in first.rglob("*.parquet")}
        assert shared & {path.stat().st_ino for path in second.rglob("*.parquet")}

        # The disk is lost: of the home nothing but Kafka and the backups are left.
        reached = positions(busy)
        shutil.rmtree(busy.home / "archive")
        for path in busy.home.glob("*.duckdb*"):
            path.unlink()
        elsewhere = busy.model_copy(update={"home": tmp_path_factory.mktemp("elsewhere")})
        done = run(elsewhere, "-m", "pipeline", "restore", str(backups))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{second} is restored into ")
        assert broken_checks(elsewhere.database) == []
        restored = positions(elsewhere)
        assert restored.keys() == reached.keys()
        assert sum(restored.values()) <= sum(reached.values())

        with loading(elsewhere):
            BeaconProducer(busy).send(requests[half + half // 2 :])
            wait_published(elsewhere)
        assert archived(elsewhere)
        assert_those_of_a_quiet_day(elsewhere, traffic, tmp_path)

        # What the loader would go on from, Kafka no longer has.
        outcomes = topics(busy).outcomes
        gone = [
            TopicPartition(outcomes.name, number, end)
            for number, end in end_offsets(busy, outcomes).items()
        ]
        admin = AdminClient({"bootstrap.servers": busy.kafka_bootstrap_servers})
        for future in admin.delete_records(gone).values():
            future.result(30)
        late = busy.model_copy(update={"home": tmp_path_factory.mktemp("late")})
        assert run(late, "-m", "pipeline", "restore", str(first)).returncode == 0
        with pytest.raises(DatabaseError, match="Kafka no longer holds the records"):
            run_loader(late)
        # It still answers.
        assert broken_checks(late.database) == []
        assert worker.stop() == 0
    finally:
        worker.kill()


def assert_one_state(lake: Path) -> None:
    """All tables are of one transaction: what they count is the same."""
    ledger, events, traffic, sessions = (
        duckdb.sql(f"SELECT {count} FROM {relation(lake, table)}").fetchall()
        for table, count in (
            ("ledger", "sum(events)"),
            ("events", "count(*)"),
            ("daily_traffic", "sum(events)"),
            ("daily_sessions", "sum(sessions), sum(session_events)"),
        )
    )
    assert ledger == events == traffic
    counted = "SELECT count(*), sum(events) FROM " + relation(lake, "sessions")
    assert sessions == duckdb.sql(counted).fetchall()


def archived(settings: Settings) -> list[tuple[str]]:
    return rows(settings, "SELECT name FROM archive_files")


def backed_up(settings: Settings, folder: Path) -> Path:
    """The backup that `pipeline backup` says it made."""
    done = run(settings, "-m", "pipeline", "backup", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    return Path(done.stdout.partition(": ")[0])
