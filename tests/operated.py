"""A running `pipeline up`, and what its processes tell operators."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import urllib3
from processes import environment, messages, wait_for
from prometheus_client.parser import text_string_to_metric_families

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker

http = urllib3.PoolManager(retries=False, timeout=30)


def families(url: str) -> dict[str, Any]:
    """What a process serves, by the name of its metric."""
    answer = http.request("GET", url)
    assert answer.status == 200, answer.data
    found = text_string_to_metric_families(answer.data.decode())
    # The parser takes the end from the name of a counter.
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family
        for family in found
    }


def value(url: str, name: str, **labels: str) -> float:
    """The sum of the samples `name` that have these labels."""
    return sum(
        sample.value
        for family in families(url).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@dataclass
class Operated:
    """`urls`: that of each process's metrics, by its name."""

    settings: Settings
    process: subprocess.Popen[bytes]
    output: Path
    urls: dict[str, str] = field(default_factory=dict)

    def said(self) -> str:
        return messages(self.output.read_text(errors="replace"))

    def url(self, name: str, page: str) -> str:
        return self.urls[name].replace("/metrics", f"/{page}")

    def page(self, name: str, page: str) -> Any:
        return http.request("GET", self.url(name, page))

    def children(self, verb: str) -> list[psutil.Process]:
        found = []
        for each in psutil.Process(self.process.pid).children():
            # One that has just ended has no words.
            with suppress(psutil.Error, IndexError):
                if each.cmdline()[-1] == verb:
                    found.append(each)
        return found

    def child(self, verb: str, number: int = 0) -> psutil.Process:
        return self.children(verb)[number]

    def find_urls(self) -> None:
        wait_for(lambda: "See metrics at" in self.said(), each=self.assert_alive)
        (line,) = re.findall(r"^See metrics at (.*)$", self.said(), re.MULTILINE)
        self.urls = {name: url for url, name in re.findall(r"(\S+) \(([\w-]+)\)", line)}

    def assert_alive(self) -> None:
        assert self.process.poll() is None, self.said()

    def send(self, *events: dict[str, Any]) -> None:
        answer = self.answer(*events)
        assert answer.status == 204, answer.data

    def answer(self, *events: dict[str, Any]) -> Any:
        (beacons,) = re.findall(r"^Send beacons to (\S+)$", self.said(), re.MULTILINE)
        token = (self.settings.home / "first-token").read_text().strip()
        return http.request(
            "POST",
            beacons,
            body=json.dumps({"events": events}),
            headers={"x-storefront-access-token": token},
        )


def operated_settings(kafka: Broker, home: Path, **more: Any) -> Settings:
    """Of a pipeline with topics, a home and ports of its own."""
    return Settings(
        _env_file=None,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=f"t{uuid4().hex[:8]}-",
        home=home,
        **dict.fromkeys(("ingest_port", "admin_port", "dashboard_port", "metrics_port"), 0),
        **more,
    )


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "event_type": "search",
        "timestamp": datetime.now(UTC).isoformat(),
        "session_id": "s",
        "device_id": f"device-{number}",
        "query": "shoes",
        **more,
    }


@contextmanager
def up(settings: Settings) -> Iterator[Operated]:
    """`pipeline up`, ready."""
    output = settings.home / "up.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "up"],
            env={**os.environ, **environment(settings)},
            cwd=settings.home,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    running = Operated(settings, process, output)
    try:
        running.find_urls()
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, running.said()
    finally:
        process.kill()
        process.wait()
        print(running.said()[-3000:])  # shown for a failure
