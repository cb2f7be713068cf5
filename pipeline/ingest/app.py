"""The ASGI app: `/beacon`, the pages of operators and integrators, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from pipeline.config import Settings
from pipeline.ingest.answers import refusal, send_answer
from pipeline.ingest.beacon import BeaconEndpoint
from pipeline.ingest.enrichment import warm_up
from pipeline.ingest.explain import Explained
from pipeline.ingest.metrics import Metrics
from pipeline.ingest.pages import Pages
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
        chores=chores,
    )


class App:
    """Straight on ASGI: a router and a request object cost as much as all the rest."""

    def __init__(
        self,
        *,
        beacon: BeaconEndpoint,
        pages: Pages,
        stores: Stores,
        publisher: Publisher,
        chores: Callable[[], None],
    ) -> None:
        self._beacon = beacon
        self._pages = pages
        self._stores = stores
        self._publisher = publisher
        self._more_chores = chores

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live from start to end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close"})
        elif scope["path"] == "/beacon":
            await self._beacon(scope, receive, send)
        else:
            answer = await self._pages.answer(scope)
            await send_answer(send, answer or NOT_FOUND)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        warm_up()
        self._publisher.start()
        chores = asyncio.create_task(self._chores())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        chores.cancel()
        with suppress(asyncio.CancelledError):
            await chores
        self._publisher.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _chores(self) -> None:
        while True:
            try:
                self._stores.refresh()
                self._more_chores()
            except Exception:
                # One that fails must not end them all, nor fail unheard.
                log.exception("a chore failed")
            await asyncio.sleep(CHORES_SECONDS)
