"""What is asked of ingest beside beacons: `/livez`, `/readyz`, `/metrics`, and `/explain`."""

from __future__ import annotations

from pipeline.ingest.explain import Explained
from pipeline.ingest.explain_page import explain_page
from pipeline.ingest.http.answers import Answer, refusal, said
from pipeline.ingest.http.exchange import Exchange
from pipeline.ingest.metrics import Metrics
from pipeline.ingest.publisher import Publisher
from pipeline.ingest.readiness import Readiness

TEXT = (b"content-type", b"text/plain; charset=utf-8")
# Prometheus' own name for its format.
METRICS = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
PAGES = ("/livez", "/readyz", "/metrics")
EXPLAINING = ("/explain", "/explain.json")
# What they read of a request.
READS = frozenset({"host"})
WRONG_METHOD = refusal(405, "Use GET, HEAD", (b"allow", b"GET, HEAD"))


class Pages:
    """The pages of one app; `explained` None: there is no `/explain`."""

    def __init__(self, publisher: Publisher, metrics: Metrics, explained: Explained | None) -> None:
        self._readiness = Readiness(publisher)
        self._metrics = metrics
        self._explained = explained

    async def answer(self, exchange: Exchange) -> Answer | None:
        """The page at its path; None where there is none."""
        path = exchange.path
        is_explaining = path in EXPLAINING and self._explained is not None
        if path not in PAGES and not is_explaining:
            return None
        if exchange.method not in ("GET", "HEAD"):
            return WRONG_METHOD
        if path == "/livez":
            return Answer(200, b"alive\n", (TEXT,))
        if path == "/metrics":
            return Answer(200, self._metrics.text(), (METRICS,))
        if self._explained is not None and is_explaining:
            return self._explanation(self._explained, exchange)
        is_ready, found = await self._readiness.ask()
        return said(200 if is_ready else 503, found)

    def _explanation(self, explained: Explained, exchange: Exchange) -> Answer | None:
        # A page of a stranger whose name has come to mean this machine may not read it.
        if not explained.is_for(exchange.headers.get("host", "")):
            return None
        if exchange.path == "/explain.json":
            return said(200, {"entries": explained.entries()})
        return explain_page(explained.entries())
