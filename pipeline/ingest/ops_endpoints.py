"""The operators' pages of ingest: those of every process, and `/explain`."""

from __future__ import annotations

from pipeline.http.response import Response, json_response
from pipeline.ingest.explain_page import explain_page
from pipeline.ingest.state import IngestState
from pipeline.monitoring.pages import (
    ALIVE,
    TEXT,
    Page,
    Pages,
    health_response,
    metrics_response,
)

HUNG = Response(503, b"a process does not answer\n", (TEXT,))


def ops_pages(state: IngestState, *, explains: bool, is_local: bool) -> Pages:
    """The pages of `state`; with `/explain` where it `explains`. `is_local` is as in `Pages`."""

    async def livez() -> Response:
        return ALIVE if await state.is_alive() else HUNG

    async def readyz() -> Response:
        return health_response(await state.readiness())

    async def metrics() -> Response:
        return metrics_response((await state.measured()).text())

    async def explain() -> Response:
        return explain_page(await state.entries())

    async def explain_json() -> Response:
        return json_response(200, {"entries": await state.entries()})

    pages: dict[str, Page] = {"/livez": livez, "/readyz": readyz, "/metrics": metrics}
    if explains:
        pages |= {"/explain": explain, "/explain.json": explain_json}
    return Pages(pages, is_local=is_local, refused=state.refused)
