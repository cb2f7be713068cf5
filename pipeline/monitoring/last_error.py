"""Counts the errors that a process logs, and keeps the last one."""

from __future__ import annotations

import logging
import time

from pipeline.monitoring.metrics import Metrics
from pipeline.printable import printable


class LastError(logging.Handler):
    """Of all loggers of this process, from `watch` to `close`."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(logging.ERROR)
        self._metrics = metrics
        self._text = ""

    def watch(self) -> None:
        """Begin."""
        logging.getLogger().addHandler(self)

    def close(self) -> None:
        """End."""
        logging.getLogger().removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Count `record`."""
        self._metrics.count("pipeline_errors_total")
        self._metrics.last_error_at = record.created
        self._text = printable(" ".join(record.getMessage().split()))

    def words(self) -> dict[str, str]:
        """The last one with its age; nothing if there was none."""
        if not self._text:
            return {}
        ago = max(0, round(time.time() - self._metrics.last_error_at))
        return {"last_error": f"{ago} s ago: {self._text}"}
