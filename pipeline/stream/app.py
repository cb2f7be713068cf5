"""The Faust app: one topic in, one table, one agent."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any, cast

import faust
import lmdb
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.types import TP

from pipeline.config import Settings
from pipeline.kafka.security import Security, security
from pipeline.process.memory import quarter_of_memory
from pipeline.stream.agents import Agent, FailureLimit
from pipeline.stream.batch_producer import BatchProducer
from pipeline.stream.cause import cause
from pipeline.stream.dropped import DroppedRecords
from pipeline.stream.figures import WorkerFigures
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.standby import Standby
from pipeline.stream.state_figures import Held, write_regularly
from pipeline.stream.table import DeviceTable
from pipeline.stream.transport import BatchConsumer, BatchSchema, BatchTransport
from pipeline.stream.upkeep import delete_regularly, rewrite_regularly
from pipeline.topics import CHANGELOG_TABLE, MAX_RECORD_BYTES, group, topics

log = logging.getLogger(__name__)

# Batches that wait for the agent, of all partitions, with up to `run_records` records each.
WAITING_BATCHES = 4


class WorkerApp(faust.App):
    """An app whose consumer delivers batches; `figures` is what operators see of it."""

    figures: WorkerFigures

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)


def create_app(
    settings: Settings,
    *,
    topic_id: str,
    local: LocalFolder,
    producer: BatchProducer,
) -> WorkerApp:
    """The worker for `settings`; `topic_id` is the one Kafka gave `beacons`."""
    bootstrap = settings.kafka_bootstrap_servers
    app = WorkerApp(
        group(settings),
        broker=";".join(f"kafka://{server}" for server in bootstrap.split(",")),
        broker_credentials=_credentials(security(settings)),
        # Faust's assignor identifies workers by their address, and a restarted one must keep its
        # own; nothing listens there.
        canonical_url=f"http://{settings.worker_name or secrets.token_hex(8)}",
        consumer_group_instance_id=settings.worker_name or None,
        web_enabled=False,
        store="memory://",
        datadir=str(settings.home / "faust"),
        # With Faust's default, 1, workers read each other's changelogs, and recovery loses records.
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=MAX_RECORD_BYTES,
        broker_max_poll_records=settings.run_records,
        broker_session_timeout=settings.session_timeout.total_seconds(),
        broker_heartbeat_interval=settings.session_timeout.total_seconds() / 4,
        broker_commit_interval=1.0,
        stream_buffer_maxsize=WAITING_BATCHES,
        stream_wait_empty=True,
    )
    app.figures = figures = WorkerFigures(settings)
    standby = Standby(settings, local, end_process)
    table = DeviceTable(
        app,
        settings,
        local=local,
        standby=standby,
        memory=settings.state_memory_bytes or quarter_of_memory() // max(1, settings.workers),
        end=end_process,
        recovered=figures.recovered,
        name=CHANGELOG_TABLE,
        partitions=settings.partitions,
        recovery_buffer_size=2,  # batches; 1 has a special meaning in Faust
    )
    app.tables.add(table)

    def consumer() -> BatchConsumer:
        return cast("BatchConsumer", app.consumer)

    agent = Agent(
        topics(settings),
        topic_id,
        settings.rules.digest(),
        table,
        producer,
        FailureLimit(settings.max_failed_share),
        consumer,
        end_process,
        figures,
    )
    beacons = app.topic(
        topics(settings).beacons.name, schema=BatchSchema(), partitions=settings.partitions
    )
    app.agent(beacons, name="process")(agent.run)
    app.task(DroppedRecords(table, consumer).watch)

    def held() -> Iterator[Held]:
        return chain(table.held(), standby.held())

    async def ends() -> dict[int, int]:
        name = topics(settings).changelog.name
        found = await consumer().ends(*(TP(name, number) for number in range(settings.partitions)))
        return {place.partition: end for place, end in found.items()}

    async def watch() -> None:
        try:
            await asyncio.gather(
                figures.watch(app, table.held, consumer),
                write_regularly(held, table.rate),
                rewrite_regularly(lambda: (store for _, store, _ in held())),
                delete_regularly(local, ends),
            )
        except OSError as error:
            end_process(f"PIPELINE_HOME/state cannot be written: {error}")
        except lmdb.Error as error:
            end_process(cause(error))

    app.task(watch)
    if settings.standby:
        app.task(standby.run)

    async def assigned(_app: Any, places: set[TP], **_signal: Any) -> None:
        owned = {tp.partition for tp in places if tp.topic == topics(settings).beacons.name}
        standby.follow_all_but(owned)
        figures.owns(owned)

    app.on_partitions_assigned.connect(cast("Any", assigned))
    return app


def _credentials(security: Security) -> Credentials | None:
    if security.is_sasl:
        return SASLCredentials(
            username=security.username,
            password=security.password,
            ssl_context=security.context,
            mechanism=security.mechanism,
        )
    return None if security.context is None else SSLCredentials(security.context)


def end_process(reason: str) -> None:
    """Exit at once with code 1: nothing that follows may be acknowledged or committed."""
    log.critical("worker stops: %s", " ".join(reason.split()))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(1)
