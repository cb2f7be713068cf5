"""The app: `/beacon`, the pages of operators and integrators, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from pipeline.config import Settings
from pipeline.ingest.beacon import BeaconEndpoint
from pipeline.ingest.enrichment import warm_up
from pipeline.ingest.explain import Explained
from pipeline.ingest.http.answers import FAILED, Answer, refusal
from pipeline.ingest.http.exchange import Exchange, Take
from pipeline.ingest.metrics import Metrics
from pipeline.ingest.pages import READS, Pages
from pipeline.ingest.publisher import Publisher
from pipeline.ingest.stores import Stores

log = logging.getLogger(__name__)

# How old what ingest knows of the stores' file may be.
CHORES_SECONDS = 1.0
NOT_FOUND = refusal(404, "Not found")


def create_app(
    settings: Settings,
    *,
    stores: Stores,
    publisher: Publisher,
    clock: Callable[[], float],
    explained: Explained | None = None,
    chores: Callable[[], None] = lambda: None,
) -> App:
    """The app; it closes `publisher` when it ends. `clock` gives epoch seconds (T2).

    `explained` keeps what came, and shows it on `/explain`; `chores` is called each second.
    """

    def gauges() -> dict[str, float]:
        spool = publisher.spool()
        return {
            "pipeline_ingest_spool_records": spool.records,
            "pipeline_ingest_spool_bytes": spool.bytes,
            "pipeline_ingest_spool_oldest_seconds": spool.age.total_seconds(),
            "pipeline_ingest_circuit_open": spool.is_circuit_open,
            "pipeline_ingest_stores": stores.count,
            "pipeline_ingest_stores_outdated": stores.is_outdated,
        }

    metrics = Metrics(gauges)
    return App(
        beacon=BeaconEndpoint(
            settings,
            stores=stores,
            publisher=publisher,
            clock=clock,
            metrics=metrics,
            explained=explained,
        ),
        pages=Pages(publisher, metrics, explained),
        stores=stores,
        publisher=publisher,
        metrics=metrics,
        chores=chores,
    )


class App:
    """A `Handler`, from `start` to `close`."""

    def __init__(
        self,
        *,
        beacon: BeaconEndpoint,
        pages: Pages,
        stores: Stores,
        publisher: Publisher,
        metrics: Metrics,
        chores: Callable[[], None],
    ) -> None:
        self._beacon = beacon
        self._pages = pages
        self._stores = stores
        self._publisher = publisher
        self._metrics = metrics
        self._more_chores = chores
        self._tasks: set[asyncio.Task[None]] = set()
        self.reads = beacon.reads | READS
        self.once = beacon.once

    def begin(self, exchange: Exchange) -> Take | None:
        """See `Handler`."""
        if exchange.path == "/beacon":
            return self._beacon.begin(exchange)
        self._start(self._show(exchange))
        return None

    def refused(self, answer: Answer) -> None:
        """See `Handler`."""
        self._metrics.malformed[answer.status] += 1

    async def _show(self, exchange: Exchange) -> None:
        try:
            exchange.reply(await self._pages.answer(exchange) or NOT_FOUND)
        except Exception:
            log.exception("a page failed")
            exchange.reply(FAILED)

    def start(self) -> None:
        """Begin, in the running event loop."""
        warm_up()
        self._publisher.start()
        self._start(self._chores())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        # The loop itself would forget it.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End, once nobody asks any more. Blocks as long as the publisher does."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._publisher.close()

    async def _chores(self) -> None:
        while True:
            try:
                self._stores.refresh()
                self._more_chores()
            except Exception:
                # One that fails must not end them all, nor fail unheard.
                log.exception("a chore failed")
            await asyncio.sleep(CHORES_SECONDS)
