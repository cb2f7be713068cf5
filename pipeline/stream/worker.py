"""`pipeline worker`: checks Kafka, runs the Faust app, and commits at the end."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from functools import partial

from mode.threads import WorkerThread

from pipeline.config import Settings
from pipeline.kafka.admin import check_topics, end_offsets, topic_ids
from pipeline.kafka.client_log import ClientLogFilter, log_causes
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.monitoring.monitor import Monitor
from pipeline.process.little_garbage import little_garbage
from pipeline.process.thread_errors import in_thread
from pipeline.stream.app import WorkerApp, create_app, end_process
from pipeline.stream.batch_producer import BatchProducer
from pipeline.stream.cause import cause
from pipeline.stream.commits import refused_commits
from pipeline.stream.local_folder import LocalFolder
from pipeline.topics import topics

log = logging.getLogger(__name__)

# Shorter than a supervisor waits before it kills.
STOP_SECONDS = 7

# mode logs the start and stop of each service under its class's module, ours included.
_VERBOSE = (
    "aiokafka",
    "faust",
    "kafka",
    "mode",
    "pipeline.stream.app",
    "pipeline.stream.table",
    "pipeline.stream.transport",
)


def run(settings: Settings) -> int:
    """Run until SIGTERM, then commit and leave the group. Returns the exit code.

    Raises `KafkaUnusableError` if Kafka, its topics or the group's commits do not fit these
    settings.
    """
    for name in _VERBOSE:
        logging.getLogger(name).setLevel(logging.WARNING)
    _leave_faust_to_end()
    check_topics(settings)
    ours = topics(settings)
    ids = topic_ids(settings, [ours.beacons.name, ours.changelog.name])
    topic_id = ids[ours.beacons.name]
    refused = refused_commits(settings, topic_id=topic_id, rules=settings.rules.digest())
    if refused:
        raise KafkaUnusableError(refused[0])
    ends = partial(end_offsets, settings, ours.changelog)
    local = LocalFolder.of(settings, ids[ours.changelog.name], ends)
    local.delete_unusable()
    with log_causes(settings) as causes, little_garbage():
        return asyncio.run(_serve(settings, topic_id, local, causes))


def _leave_faust_to_end() -> None:
    """Only log an error that ends a thread of Faust's: the app then ends by itself, and commits."""
    otherwise = threading.excepthook

    def ended(error: threading.ExceptHookArgs) -> None:
        if isinstance(error.thread, WorkerThread):
            log.error(in_thread(error))
        else:
            otherwise(error)

    threading.excepthook = ended


async def _serve(
    settings: Settings, topic_id: str, local: LocalFolder, causes: ClientLogFilter
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    producer = BatchProducer(settings)
    app = create_app(
        settings,
        topic_id=topic_id,
        local=local,
        producer=producer,
    )
    app.figures.kafka.start(causes.told)
    with Monitor(settings, app.figures.metrics, app.figures.health):
        return await _run(settings, app, producer, stop)


async def _run(
    settings: Settings, app: WorkerApp, producer: BatchProducer, stop: asyncio.Event
) -> int:
    await app.start()
    log.info("processing %s", topics(settings).beacons.name)
    await _until_either(stop, app)
    crash = app.crash_reason
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await app.stop()
            await producer.stop()
    except TimeoutError:
        # aiokafka would wait for ever. What was not committed is processed again.
        end_process("Kafka no longer answers; the last batches are not committed")
    if crash is not None:
        log.critical("worker stops: %s", cause(crash))
        return 1
    return 0


async def _until_either(stop: asyncio.Event, app: WorkerApp) -> None:
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(app.wait_until_stopped())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
