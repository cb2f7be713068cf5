"""Real troubles of a real pipeline, which Prometheus scrapes, fire its alerts until they end."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path

import duckdb
import own_disk
import pytest
import yaml
from confluent_kafka import Producer
from operated import Operated, event, operated_settings, up, value
from processes import Verb, paused, stopping, wait_for, wait_published
from prometheus_server import Prometheus, scraping
from records import records_of

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics
from pipeline.topics import topics

ROOT = Path(__file__).parents[2]
RULES = ROOT / "ops" / "prometheus" / "alerts.yml"
devices = count(1000)
# How much more the shop sends than the worker does, and of how many devices in a request.
AHEAD_BY, MOST = 4, 200
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
    with scraping(troubled.urls, tmp_path_factory.mktemp("prometheus"), RULES) as found:
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
def the_worker_is_slower_than_the_shop(running: Operated, _: Broker) -> Iterator[Meanwhile]:
    """It runs for moments, as beside much else, and the shop sends more than it does in them."""
    worker, url = running.child("worker"), running.urls["worker"]

    def done() -> float:
        return value(url, "pipeline_worker_records_total")

    before = done()

    def shop() -> None:
        nonlocal before
        worker.resume()
        after = done()
        worker.suspend()
        for _ in range(1 + int(AHEAD_BY * (after - before)) // MOST):
            running.send(*(event(next(devices)) for _ in range(MOST)))
        before = after

    try:
        yield shop
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
    the_worker_is_slower_than_the_shop: {"PipelineWorkersBehind"},
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


@pytest.fixture
def loader_on_its_own_disk(kafka: Broker, tmp_path: Path) -> Iterator[Verb]:
    own_disk.require_own_disk()
    settings = operated_settings(kafka, tmp_path)
    create_topics(settings)
    loader = Verb("load", settings, program=(own_disk.__file__, "16G", str(tmp_path)))
    with stopping([loader]):
        wait_for(lambda: "metrics: http" in loader.said(), each=loader.assert_alive)
        yield loader


DISK_FULL = "PipelineDiskFull"


def test_a_disk_that_is_nearly_full_fires_its_alert_until_it_is_not(
    loader_on_its_own_disk: Verb, tmp_path: Path
) -> None:
    process = loader_on_its_own_disk.process
    assert process is not None
    (url,) = re.findall(r"metrics: (http\S+)", loader_on_its_own_disk.said())
    with scraping({"load": url}, tmp_path, RULES) as prometheus:
        wait_for(lambda: prometheus.query("pipeline_loader_disk_free_bytes > 8e9") != [])
        assert DISK_FULL not in prometheus.firing()
        own_disk.resize(process.pid, tmp_path, "1900M")
        wait_for(lambda: DISK_FULL in prometheus.firing())
        own_disk.resize(process.pid, tmp_path, "16G")
        wait_for(lambda: DISK_FULL not in prometheus.firing())


def test_every_alert_is_fired_by_real_trouble() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert {DISK_FULL}.union(*TROUBLES.values()) == alerts
