"""A real Prometheus that scrapes the processes of a test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from processes import wait_for

from pipeline.devstack.broker.data_directory import free_port

http = urllib3.PoolManager(retries=False, timeout=30)


def program(name: str) -> str:
    """Where it is. Without it the test is skipped, but not in CI."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed: apt-get install prometheus")
        pytest.skip(f"{name} is not installed")
    return found


class Prometheus:
    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        try:
            return http.request("GET", f"{self.origin}/-/ready").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def query(self, text: str) -> list[dict[str, Any]]:
        answer = http.request("GET", f"{self.origin}/api/v1/query", fields={"query": text}).json()
        assert answer["status"] == "success", (text, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def firing(self) -> set[str]:
        answer = http.request("GET", f"{self.origin}/api/v1/alerts").json()
        return {each["labels"]["alertname"] for each in answer["data"]["alerts"]}


# What a trouble has to last, and what a rate remembers: seconds here, not minutes. More than the
# five seconds after which Kafka is asked again, so that a look at the wrong moment is no trouble.
LASTS = "> 6"
REMEMBERS = "[10s]"


def shortened(rules: Path) -> dict[str, Any]:
    """`rules` for a test that makes the trouble: all that is minutes in them is seconds.

    No alert waits for its `for`, `> 300` seconds and more become `LASTS`, and `[5m]` becomes
    `REMEMBERS`. Names, series and all other thresholds are as they stand.
    """
    made: dict[str, Any] = yaml.safe_load(rules.read_text())
    for group in made["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
            sooner = re.sub(r"> \d{3,}(?!\S)", LASTS, rule["expr"])
            rule["expr"] = sooner.replace("[5m]", REMEMBERS)
    return made


@contextmanager
def scraping(urls: Mapping[str, str], folder: Path, rules: Path) -> Iterator[Prometheus]:
    """It reads each of `urls` every second, with `rules` as `shortened`."""
    (folder / "rules.yml").write_text(yaml.safe_dump(shortened(rules)))
    targets = [url.removeprefix("http://").removesuffix("/metrics") for url in urls.values()]
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "pipeline", "static_configs": [{"targets": targets}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = Prometheus(port)
        wait_for(found.is_ready)
        yield found
    finally:
        process.kill()
        process.wait()
