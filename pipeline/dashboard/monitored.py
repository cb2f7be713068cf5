"""What operators see of the dashboard: its metrics and its health."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from pipeline.config import Settings
from pipeline.monitoring.metrics import Metrics
from pipeline.monitoring.pages import Health


class Monitored:
    """Counts pages from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._snapshot = settings.database
        self.metrics = Metrics(
            "dashboard",
            gauges={"pipeline_dashboard_snapshot_age_seconds": lambda: _age(self._snapshot) or 0.0},
        )

    def counted(self, page: Callable[[Request], Response], request: Request) -> Response:
        """The page for `request`. One that raises is answered 500."""
        began, status = time.monotonic(), 500
        try:
            answer = page(request)
            status = answer.status_code
            return answer
        finally:
            self.metrics.count("pipeline_dashboard_pages_total", 1, str(status))
            self.metrics.observe("pipeline_dashboard_page_seconds", time.monotonic() - began)

    def health(self) -> Health:
        """Ready also without a snapshot: its page says so."""
        age = _age(self._snapshot)
        return True, {
            "status": "degraded" if age is None else "ready",
            "snapshot": "none yet" if age is None else f"published {age:.0f} s ago",
        }


def _age(snapshot: Path) -> float | None:
    try:
        return max(0.0, time.time() - snapshot.stat().st_mtime)
    except FileNotFoundError:
        return None
