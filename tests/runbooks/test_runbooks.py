"""Every runbook, typed into a machine whose pipeline runs, while a store goes on sending."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import duckdb
import pytest
import systemctl
import urllib3
from machine import RUNBOOKS, UNITS, Machine, blocks
from operated import event
from processes import wait_for

from pipeline.cli.main import cli
from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.broker.server import Broker

# In an order in which one machine can live through them.
PAGES = [
    "scale-workers.md",
    "rotate-tokens.md",
    "rolling-restart.md",
    "change-retention.md",
    "upgrade.md",
    "roll-back.md",
    "add-partitions.md",
    "move-home.md",
    "restore.md",
]
# With a Kafka that asks for a password: tests/secured/test_rotated.py.
ELSEWHERE = ["rotate-certificates.md"]
RUNNING = ("pipeline-ingest", "pipeline-worker@1", "pipeline-load", "pipeline-dashboard")


class Shop:
    """Sends events to a machine's ingest, and knows how many were answered 204."""

    def __init__(self, machine: Machine, port: int, token: str) -> None:
        self.machine, self.token = machine, token
        self.url = f"http://127.0.0.1:{port}/beacon"
        self.sent = 0
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def send(self) -> bool:
        body = json.dumps({"events": [event(self.sent % 7, event_id=f"e{self.sent}")]})
        headers = {"x-storefront-access-token": self.token}
        with suppress(urllib3.exceptions.HTTPError):
            answer: Any = self._http.request("POST", self.url, body=body, headers=headers)
            if answer.status == 204:
                self.sent += 1
                return True
        return False

    def counted(self) -> int:
        """Events in the snapshot."""
        home = re.findall(
            r"^PIPELINE_HOME=(.*)$",
            (self.machine.folder / "etc/pipeline.env").read_text(),
            re.MULTILINE,
        )[-1]
        with duckdb.connect(f"{home}/analytics.duckdb", read_only=True) as snapshot:
            ((count,),) = snapshot.execute("SELECT count(*) FROM events").fetchall()
        return int(count)

    def is_counted(self) -> bool:
        with suppress(duckdb.Error):
            return self.counted() == self.sent
        return False


@pytest.fixture(scope="module")
def shop(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    port = free_port()
    machine = Machine.made(
        tmp_path_factory.mktemp("machine") / "m",
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=f"t{uuid4().hex[:8]}-",
        replication="1",
        ingest_port=str(port),
        admin_port=str(free_port()),
        dashboard_port=str(free_port()),
        metrics_port="0",
        drain_delay="PT0S",
        publish_interval="PT0.2S",
    )
    try:
        machine.run("ln -s pipeline-0.1.0 /opt/pipeline-0.2.0; mkdir /var/lib/pipeline/large")
        token = machine.run("pipeline topics; pipeline stores add shop").split()[-1]
        machine.run(f"systemctl start {' '.join(RUNNING)}")
        shop = Shop(machine, port, token)
        wait_for(shop.send)
        wait_for(shop.is_counted)
        machine.run("pipeline backup /var/backups/pipeline")  # by cron
        yield shop
    finally:
        print(machine.logs())
        machine.stop()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_performed_and_nothing_is_lost(shop: Shop, page: str) -> None:
    for block in blocks(page):
        printed = shop.machine.run(block)
        if "stores rotate" in block:
            shop.token = printed.split()[-1]
            wait_for(shop.send)
        shop.send()
    for unit in RUNNING:
        assert systemctl.running(shop.machine.folder, unit) is not None, shop.machine.logs()
    wait_for(shop.send)
    wait_for(shop.is_counted)


def test_each_page_is_performed_and_listed() -> None:
    there = sorted(page.name for page in RUNBOOKS.glob("*.md") if page.name != "README.md")
    assert sorted(PAGES + ELSEWHERE) == there
    assert set(re.findall(r"\((\S+\.md)\)", (RUNBOOKS / "README.md").read_text())) >= set(there)


def used(page: Path) -> Iterator[list[str]]:
    """The words of each command `pipeline` on a page, in any version's folder."""
    for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in re.findall(r"(?:^|[ /])pipeline +([a-z][^\n;>|]*)", block, re.MULTILINE):
            yield shlex.split(line)


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.name)
def test_its_commands_settings_units_and_links_exist(page: Path) -> None:
    text = page.read_text()
    for line in used(page):
        command: click.Command = cli
        for word in line:
            if isinstance(command, click.Group):
                command = command.commands[word]
            elif word.startswith("--"):
                assert word in [name for each in command.params for name in each.opts], line
        assert not isinstance(command, click.Group), line
    units = {file.stem for file in UNITS.glob("*.service")}
    for unit in re.findall(r"pipeline-(?:ingest|worker@?|load|dashboard)", text):
        assert unit in units
    settings = {f"PIPELINE_{name.upper()}" for name in Settings.model_fields}
    for setting in re.findall(r"PIPELINE_[A-Z_]+[A-Z]", text):
        assert setting in settings
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (page.parent / target).exists(), target
