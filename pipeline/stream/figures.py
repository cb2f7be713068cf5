"""What operators see of a worker: its metrics and its health."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from pipeline.config import Settings
from pipeline.monitoring.heartbeat import Heartbeat
from pipeline.monitoring.kafka_ends import Ends, KafkaEnds
from pipeline.monitoring.lag import Lag
from pipeline.monitoring.metrics import Labels, Metrics
from pipeline.monitoring.pages import Health
from pipeline.monitoring.progress import Progress
from pipeline.stream.state_figures import Held
from pipeline.topics import topics

if TYPE_CHECKING:
    from pipeline.stream.transport import BatchConsumer

INTERVAL = 1.0
# Seconds for Kafka to say where a partition begins, which is asked until the first batch.
PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class _Store:
    devices: int
    disk: int
    memory: int


@dataclass(slots=True)
class WorkerFigures:
    """Counted and refreshed in the worker's event loop, read in the thread of the pages."""

    settings: Settings
    metrics: Metrics = field(init=False)
    kafka: KafkaEnds = field(init=False)
    _heartbeat: Heartbeat = field(default_factory=Heartbeat)
    _lag: Lag = field(default_factory=Lag)
    _progress: Progress = field(default_factory=Progress)
    _owned: frozenset[int] | None = None
    _is_recovering: bool = True
    _stores: dict[int, _Store] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kafka = KafkaEnds(self.settings, [topics(self.settings).beacons], self._seen)
        name = "pipeline_worker_"
        self.metrics = Metrics(
            "worker",
            name=self.settings.worker_name,
            gauges={
                f"{name}kafka_up": lambda: self.kafka.is_up,
                f"{name}stalled_seconds": self._heartbeat.seconds,
                f"{name}partitions": lambda: len(self._owned or ()),
                f"{name}recovering": lambda: self._is_recovering,
                f"{name}lag_records": self._lag.records,
                f"{name}lag_seconds": self._lag.seconds,
                f"{name}devices": lambda: self._of_stores(lambda store: store.devices),
                f"{name}state_bytes": lambda: self._of_stores(lambda store: store.disk),
                f"{name}memory_bytes": lambda: self._of_stores(lambda store: store.memory),
            },
        )

    def _of_stores(self, value: Callable[[_Store], int]) -> dict[Labels, float]:
        return {(str(number),): value(store) for number, store in self._stores.items()}

    def _seen(self, ends: Ends) -> None:
        self._lag.ends({(partition,): end for (_, partition), end in ends.items()})

    def owns(self, partitions: Iterable[int]) -> None:
        """From now on these, and no others."""
        owned = frozenset(partitions)
        for number in (self._owned or frozenset()) - owned:
            self._lag.forget((str(number),))
        self._owned = owned

    def reached(self, partition: int, offset: int, written_at: float | None = None) -> None:
        """As `Lag.reached`."""
        self._lag.reached((str(partition),), offset, written_at)

    def processed(self, partition: int, *, records: int, events: int, failed: int) -> None:
        """The rules were applied to a batch."""
        self._progress.add(records=records, events=events)
        self.metrics.count("pipeline_worker_records_total", records, str(partition))
        self.metrics.count("pipeline_worker_events_total", events)
        self.metrics.count("pipeline_worker_failed_events_total", failed)

    def delivered(self, *, seconds: float, states: int) -> None:
        """Kafka has all of a batch, `seconds` after it began."""
        self.metrics.observe("pipeline_worker_batch_seconds", seconds)
        self.metrics.count("pipeline_worker_changelog_records_total", states)

    def recovered(self, records: int) -> None:
        """Records of the changelog were applied."""
        self.metrics.count("pipeline_worker_recovered_records_total", records)

    async def watch(
        self,
        app: Any,
        held: Callable[[], Iterable[Held]],
        consumer: Callable[[], BatchConsumer],
    ) -> None:
        """Refresh what is measured, every second; it never returns. Raises what `held` does."""
        last = time.monotonic()
        while True:
            self._heartbeat.beat()
            now = time.monotonic()
            self._is_recovering = bool(app.rebalancing or app.in_recovery)
            if self._is_recovering:
                self.metrics.count("pipeline_worker_recovery_seconds_total", now - last)
            last = now
            self._stores = {
                number: _Store(len(store), store.disk_bytes, memory or 0)
                for number, store, memory in held()
            }
            await self._find_positions(consumer)
            self._progress.tell(sum(self._lag.records().values()))
            await asyncio.sleep(INTERVAL)

    async def _find_positions(self, consumer: Callable[[], BatchConsumer]) -> None:
        """Where partitions begin that have had no batch since they were assigned."""
        known = self._lag.records()
        for number in self._owned or ():
            if (str(number),) in known:
                continue
            tp = TP(topics(self.settings).beacons.name, number)
            # Kafka is away, or a rebalance goes on: it is asked again.
            with suppress(TimeoutError, KafkaError, ConsumerNotStarted):
                async with asyncio.timeout(PATIENCE):
                    commit = await consumer().committed(tp)
                    if commit is not None and commit.offset >= 0:
                        self.reached(number, commit.offset)
                    else:
                        self.reached(number, await consumer().beginning(tp))

    def health(self) -> Health:
        """Whether it processes what comes, and why not."""
        owned = self._owned
        if self._heartbeat.is_stalled:
            status = "stalled"
        elif not self.kafka.is_up:
            status = "unavailable"
        elif owned is None:
            status = "starting"
        else:
            status = "recovering" if self._is_recovering else "ready"
        return status == "ready", {
            "status": status,
            "kafka": self.kafka.problem or "answers",
            "partitions": ", ".join(map(str, sorted(owned or ()))) or "none",
            "behind": self._lag.described(is_current=self.kafka.is_up),
            "stalled": f"{self._heartbeat.seconds():.0f} s",
        }
