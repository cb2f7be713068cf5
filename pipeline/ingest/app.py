"""The app: `/beacon` at one address, the operators' pages at another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pipeline.config import Settings
from pipeline.delivery.publisher import Publisher
from pipeline.http.exchange import Exchange, OnBody
from pipeline.http.response import Response
from pipeline.ingest.beacon import BeaconEndpoint
from pipeline.ingest.downstream import Downstream
from pipeline.ingest.enrichment import warm_up
from pipeline.ingest.explain import Explained
from pipeline.ingest.metrics import Counts
from pipeline.ingest.ops_endpoints import ops_pages
from pipeline.ingest.readiness import Readiness
from pipeline.ingest.state import ProcessState
from pipeline.ingest.stores import Stores
from pipeline.monitoring.pages import NOT_FOUND, Pages
from pipeline.sockets import is_loopback

log = logging.getLogger(__name__)

# Between two looks at the stores' file.
REFRESH_SECONDS = 1.0


def create_app(
    settings: Settings,
    *,
    stores: Stores,
    publisher: Publisher,
    clock: Callable[[], float],
    explained: Explained | None = None,
    downstream: Downstream | None = None,
) -> App:
    """The app; it closes `publisher`. `clock` returns epoch seconds (T2).

    `explained` keeps the last events for `/explain`; `downstream` is what becomes of them behind
    Kafka.
    """

    def gauges() -> dict[str, float]:
        spool = publisher.spool()
        return {
            "pipeline_ingest_spool_records": spool.records,
            "pipeline_ingest_spool_bytes": spool.bytes,
            "pipeline_ingest_spool_oldest_seconds": spool.age.total_seconds(),
            "pipeline_ingest_circuit_open": spool.is_circuit_open,
            "pipeline_ingest_clock_ahead_seconds": publisher.clock.ahead or 0.0,
            "pipeline_ingest_stores": stores.count,
            "pipeline_ingest_stores_outdated": bool(stores.problem),
            "pipeline_ingest_downstream_stalled_seconds": (
                downstream.stalled_seconds() if downstream else 0.0
            ),
        }

    counts = Counts()
    problem = downstream.problem if downstream else lambda: ""
    readiness = Readiness(publisher, problem, lambda: stores.problem)
    state = ProcessState(readiness, counts, gauges, explained)
    return App(
        beacon=BeaconEndpoint(
            settings,
            stores=stores,
            publisher=publisher,
            clock=clock,
            counts=counts,
            explained=explained,
        ),
        state=state,
        pages=ops_pages(
            state,
            explains=explained is not None,
            is_local=is_loopback(settings.admin_host),
        ),
        stores=stores,
        publisher=publisher,
    )


class App:
    """From `start` to `close`: the `Handler` of beacons; `pages` is that of operators."""

    def __init__(
        self,
        *,
        beacon: BeaconEndpoint,
        state: ProcessState,
        pages: Pages,
        stores: Stores,
        publisher: Publisher,
    ) -> None:
        self._beacon = beacon
        self.state = state
        self.pages = pages
        self._stores = stores
        self._publisher = publisher
        self.reads = beacon.reads
        self.once = beacon.once

    def begin(self, exchange: Exchange) -> OnBody | None:
        """See `Handler`."""
        if exchange.path == "/beacon":
            return self._beacon.begin(exchange)
        exchange.reply(NOT_FOUND)
        return None

    def refused(self, answer: Response) -> None:
        """See `Handler`."""
        self.state.refused(answer)

    def start(self) -> None:
        """Start in the running event loop."""
        warm_up()
        self._publisher.start()
        self._at_work = asyncio.get_running_loop().create_task(self._refresh())

    async def close(self) -> None:
        """Stop, after the servers. Blocks as long as the publisher does."""
        self._at_work.cancel()
        await asyncio.gather(self._at_work, return_exceptions=True)
        await self.pages.close()
        self._publisher.close()

    async def _refresh(self) -> None:
        while True:
            try:
                self._stores.refresh()
            except Exception:
                # One failure must not end the loop.
                log.exception("the stores file could not be looked at")
            await asyncio.sleep(REFRESH_SECONDS)
