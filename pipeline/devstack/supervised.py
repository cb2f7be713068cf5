"""What operators see of `up`: whether its processes run, and how often they were restarted."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.devstack.process import ManagedProcess
from pipeline.devstack.supervisor import Supervisor
from pipeline.monitoring.metrics import Labels, Metrics
from pipeline.monitoring.pages import Health


class Supervised:
    """Of the processes of `supervisor`, read in the thread of the pages."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        name = "pipeline_supervisor_"
        self.metrics = Metrics(
            "supervisor",
            gauges={
                f"{name}running": lambda: self._of_each(lambda child: child.process is not None),
                f"{name}deaths_in_a_row": lambda: self._of_each(lambda child: child.deaths),
            },
        )
        supervisor.on_restart = lambda child: self.metrics.count(
            f"{name}restarts_total", 1, child.label
        )

    def _of_each(self, value: Callable[[ManagedProcess], int]) -> dict[Labels, float]:
        return {(child.label,): value(child) for child in self._supervisor.children}

    def health(self) -> Health:
        """Ready while all run; else it names those that do not, and how they ended."""
        down = {
            child.label: child.last_death or "is not running"
            for child in self._supervisor.children
            if child.process is None
        }
        return not down, {"status": "unavailable" if down else "ready", **down}
