"""What operators see of `up`: whether its processes run, how often they were restarted, and why."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.devstack.process import ManagedProcess
from pipeline.devstack.supervisor import Supervisor
from pipeline.kafka.errors import AWAY
from pipeline.monitoring.metrics import Labels, Metrics
from pipeline.monitoring.pages import Health
from pipeline.monitoring.process_record import ProcessRecord, ProcessState
from pipeline.process.restarts import WELL_AFTER

# So many deaths in a row are no accident.
DEATHS = 3

log = logging.getLogger(__name__)


class Supervised:
    """Of the processes of `supervisor`, read in the thread of the pages; in `home` as `up.json`."""

    def __init__(self, supervisor: Supervisor, home: Path) -> None:
        self._supervisor = supervisor
        self._home = home
        self._counted: dict[str, int] = {}
        name = "pipeline_supervisor_"
        self.metrics = Metrics(
            "supervisor",
            gauges={
                f"{name}running": lambda: self._of_each(lambda child: child.process is not None),
                f"{name}deaths_in_a_row": lambda: self._of_each(_deaths_in_a_row),
            },
        )
        supervisor.on_change = self._changed

    def _changed(self, child: ManagedProcess) -> None:
        more = child.restarts - self._counted.get(child.label, 0)
        self._counted[child.label] = child.restarts
        self.metrics.count("pipeline_supervisor_restarts_total", more, child.label)
        self.record()

    def record(self, *, ended: str = "") -> None:
        """Write the file; a full disk stops nothing. `ended`: all have been stopped, and why."""
        states = [
            ProcessState(
                child.label,
                child.process is not None and not ended,
                child.restarts,
                child.deaths,
                child.last_death,
                child.died_at,
                child.starts_at,
            )
            for child in self._supervisor.children
        ]
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            ProcessRecord.of_this_process(states, ended=ended).record(self._home)
        except OSError as error:
            log.warning("up.json cannot be written: %s", error.strerror)

    def _of_each(self, value: Callable[[ManagedProcess], int]) -> dict[Labels, float]:
        return {(child.label,): value(child) for child in self._supervisor.children}

    def health(self) -> Health:
        """Ready while all run; else it names those that do not, or keep dying, and why."""
        down = {
            child.label: child.last_death or "is not running"
            for child in self._supervisor.children
            if child.process is None or _deaths_in_a_row(child) >= DEATHS
        }
        return not down, {"status": "unavailable" if down else "ready", **down}


def hopeless(children: Iterable[ManagedProcess], *, most: int) -> ManagedProcess | None:
    """One that has died `most` times in a row of one cause, or twice that of any; with 0 none has.

    Kafka that is away is no such cause: it comes back by itself.
    """
    for child in children:
        is_looping = child.deaths_of_one_cause >= most or child.deaths >= 2 * most
        if most and is_looping and AWAY not in child.last_death:
            return child
    return None


def _deaths_in_a_row(child: ManagedProcess) -> int:
    """None any more once it runs well: its next death is the first."""
    is_well = child.process is not None and time.monotonic() - child.started > WELL_AFTER
    return 0 if is_well else child.deaths
