"""Real troubles of a real pipeline, which Prometheus scrapes, fire its alerts until they end.

All but two, whose rules are fired by values. `PipelineDiskFull`: less than 2 GB would have to be
free on the file system of a home; to fill one writes gigabytes and fails whatever else a machine
runs, and to mount a small one takes root. `PipelineWorkersBehind`: a worker that runs would have to
be slower than the shop, by a backlog that depends on the machine; Kafka 4 takes records where fewer
replicas are in sync than `min.insync.replicas` says, if there are no more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path

import duckdb
import pytest
from confluent_kafka import Producer
from operated import Operated, event, operated_settings, up
from processes import paused, wait_for, wait_published
from prometheus_server import Prometheus, scraping
from records import records_of

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.topics import topics

ROOT = Path(__file__).parents[2]
devices = count(1000)
Meanwhile = Callable[[], object]
"""What goes on while a trouble lasts, called again and again."""


# The clock of an ingest that is two minutes ahead while there is a file.
AHEAD = """
import os, sys, time
right = time.time
if sys.orig_argv[-1] == "ingest":
    time.time = lambda: right() + 120 * os.path.exists({0!r})
"""


def ahead(settings: Settings) -> Path:
    return settings.home / "ahead"


def nothing() -> None:
    """Nothing goes on."""


@pytest.fixture(scope="module")
def troubled(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    """A pipeline of its own: restarts are counted for good."""
    settings = operated_settings(
        kafka,
        tmp_path_factory.mktemp("home"),
        ack_timeout=timedelta(milliseconds=300),
        # Of the few events of one test.
        spool_bytes=65536,
    )
    (settings.home / "sitecustomize.py").write_text(AHEAD.format(str(ahead(settings))))
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        patch.setenv("PYTHONPATH", str(settings.home))
        started = opened.enter_context(up(settings))
        started.send(event(0))
        wait_published(settings)
        yield started


@pytest.fixture(scope="module")
def prometheus(
    troubled: Operated, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    folder, rules = tmp_path_factory.mktemp("prometheus"), ROOT / "ops/prometheus/alerts.yml"
    with scraping(troubled.urls, folder, rules) as found:
        # Twice each, for the rates.
        wait_for(lambda: len(found.query("count_over_time(up[1h]) >= 3")) == len(troubled.urls))
        yield found


def send(running: Operated, expected: int = 204) -> bool:
    """Whether an event of a new device was answered so."""
    return running.answer(event(next(devices))).status == expected


@contextmanager
def kafka_hangs_and_the_spool_fills(running: Operated, kafka: Broker) -> Iterator[Meanwhile]:
    with paused(kafka):
        # Into the spool, and past its bound: one answer of 503, and no second.
        wait_for(lambda: send(running, 503))
        yield nothing


@contextmanager
def the_worker_is_stopped(running: Operated, _: Broker) -> Iterator[Meanwhile]:
    worker = running.child("worker")
    worker.suspend()
    try:
        yield lambda: send(running)
    finally:
        worker.resume()


@contextmanager
def no_snapshot_can_be_made(running: Operated, _: Broker) -> Iterator[Meanwhile]:
    database = running.settings.database
    # What is left of killed copies is deleted first, and this cannot be.
    left = database.with_name(f"{database.name}.left.new")
    left.mkdir()
    try:
        yield lambda: send(running)
    finally:
        left.rmdir()


@contextmanager
def the_loader_waits_for_a_file(running: Operated, _: Broker) -> Iterator[Meanwhile]:
    """Of a catalog, as if on a disk that does not answer."""
    folder = running.settings.home / "catalog"
    folder.mkdir(exist_ok=True)
    file = folder / "waits.parquet"
    os.mkfifo(file)
    # As long as it may be written to, a read waits.
    writer = os.open(file, os.O_RDWR)
    try:
        yield lambda: send(running)
    finally:
        file.unlink()
        os.close(writer)


@contextmanager
def the_clock_of_ingest_is_ahead(running: Operated, _: Broker) -> Iterator[Meanwhile]:
    file = ahead(running.settings)
    file.touch()
    try:
        yield lambda: send(running)
    finally:
        file.unlink()


@contextmanager
def the_stores_file_is_broken(running: Operated, _: Broker) -> Iterator[Meanwhile]:
    path = running.settings.stores
    whole = path.read_text()
    path.write_text("[stores")
    try:
        yield nothing
    finally:
        path.write_text(whole)


@contextmanager
def another_program_has_the_database(running: Operated, _: Broker) -> Iterator[Meanwhile]:
    with ExitStack() as opened:

        def is_open() -> bool:
            with suppress(duckdb.IOException):
                opened.enter_context(duckdb.connect(running.settings.live_database))
                return True
            return False

        wait_for(is_open, each=lambda: [each.kill() for each in running.children("load")])
        yield nothing


@contextmanager
def a_record_cannot_be_read(running: Operated, _: Broker) -> Iterator[Meanwhile]:
    settings, beacons = running.settings, topics(running.settings).beacons
    record = records_of(settings, beacons)[0]
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})

    def write() -> None:
        producer.produce(beacons.name, b"no beacon", key=record.key, partition=record.partition)
        assert producer.flush(60) == 0

    yield write


Trouble = Callable[[Operated, Broker], AbstractContextManager[Meanwhile]]
# What Prometheus can see of each.
TROUBLES: dict[Trouble, set[str]] = {
    the_worker_is_stopped: {"PipelineProcessDown", "PipelineDownstreamStalled"},
    no_snapshot_can_be_made: {"PipelineNoSnapshot", "PipelineDownstreamStalled"},
    the_loader_waits_for_a_file: {"PipelineLoaderBehind", "PipelineStalled"},
    the_clock_of_ingest_is_ahead: {"PipelineClockWrong"},
    the_stores_file_is_broken: {"PipelineStoresOutdated"},
    kafka_hangs_and_the_spool_fills: {
        "PipelineKafkaAway",
        "PipelineSpooling",
        "PipelineRefusing",
    },
    a_record_cannot_be_read: {"PipelineEventsFail"},
    another_program_has_the_database: {"PipelineCrashLoop", "PipelineProcessDown"},
}

# Until the process has run well, or the clock has been right, for a minute.
LASTS = {"PipelineCrashLoop", "PipelineClockWrong"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_the_trouble_fires_its_alerts_until_it_is_over(
    trouble: Trouble, troubled: Operated, kafka: Broker, prometheus: Prometheus
) -> None:
    alerts = TROUBLES[trouble]
    wait_for(lambda: not alerts & prometheus.firing())
    with trouble(troubled, kafka) as meanwhile:
        seen: set[str] = set()

        def look() -> None:
            meanwhile()
            seen.update(prometheus.firing())

        wait_for(lambda: alerts <= seen, each=look)
    wait_for(lambda: not (alerts - LASTS) & prometheus.firing())


def test_the_guide_says_which_alerts_are_fired_by_real_trouble() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    (said,) = re.findall(r"Tests fire (.*?) by real trouble", text, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", said)) == set().union(*TROUBLES.values())
