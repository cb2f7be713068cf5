"""Whether the processes of `up` have come up, and what an operator must mend if one cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import urllib3

from pipeline.devstack.broker.node import last_error
from pipeline.devstack.process import ManagedProcess
from pipeline.devstack.supervised import DEATHS
from pipeline.devstack.supervisor import StartError, Supervisor

# A restart would not help if one of these ends at its first start: the user must act.
MUST_START = ("kafka", "ingest", "dashboard")
START_SECONDS = 60.0


class Starting:
    """The start of what `supervisor` runs; `kafka_output` is what the embedded Kafka said last."""

    def __init__(self, supervisor: Supervisor, kafka_output: Callable[[], str]) -> None:
        self._supervisor = supervisor
        self._kafka_output = kafka_output

    def is_hopeless(self) -> bool:
        """Whether waiting makes no sense: a stop was requested, or what must start has died."""
        return self._supervisor.is_stopping or any(self._ended())

    def _ended(self) -> Iterable[ManagedProcess]:
        return (
            child
            for child in self._supervisor.children
            if child.deaths and child.name in MUST_START
        )

    def refuse_hopeless(self) -> None:
        """Raises `StartError` if what must start has died."""
        for child in self._ended():
            output = _last_output(child)
            # Kafka writes to its log file; Java may print before there is one.
            if child.name == "kafka" and not child.last_output:
                output = self._kafka_output()
            raise StartError(f"{child.name} ended at its start: {output}")

    def refuse_dying(self) -> None:
        """Raises `StartError` if a process has died soon after each of its last starts."""
        for child in self._supervisor.children:
            # Between two starts, when its last output is complete.
            if child.deaths >= DEATHS and child.process is None:
                raise StartError(f"{child.name} dies at each start: {_last_output(child)}")

    def wait_for(self, *urls: str) -> None:
        """Wait until all `urls` answer. Raises `StartError`."""
        until = time.monotonic() + START_SECONDS
        for url in urls:
            self._supervisor.watch(partial(self._is_settled, url, until))
            self.refuse_hopeless()
            if not self._supervisor.is_stopping and not _answers(url):
                raise StartError(f"nothing answers at {url}: see the output above")

    def _is_settled(self, url: str, until: float) -> bool:
        return self.is_hopeless() or time.monotonic() > until or _answers(url)


def _last_output(child: ManagedProcess) -> str:
    return last_error("\n".join(child.last_output)).removeprefix("Error: ")


def _answers(url: str) -> bool:
    with suppress(urllib3.exceptions.HTTPError):
        return _http.request("GET", url).status == 200
    return False


# Unlike urllib, it ignores proxies of the environment.
_http = urllib3.PoolManager(timeout=1.0, retries=False)
