"""Every runbook, typed into a machine whose pipeline runs, while a store goes on sending."""

from __future__ import annotations

import json
import os
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
from archived import freeze
from machine import RUNBOOKS, UNITS, Machine, blocks, sections
from next_version import VERSION, built, lend_dependencies, only_from
from operated import event
from processes import wait_for

from pipeline.cli.main import cli
from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import actual_topics
from pipeline.warehouse.archive.freezing import Span
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.manifest import archive_folder

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
]
# Typed in a test of its own: for a page, or for a section of one.
ELSEWHERE = {
    ("install.md", None): "runbooks/test_runbooks.py",  # on a machine of its own
    ("restore.md", None): "runbooks/test_runbooks.py",  # after an upgrade that it takes back
    ("rotate-certificates.md", "The password of Kafka"): "secured/test_rotated.py",
    ("rotate-certificates.md", "The certificates of Kafka"): "secured/test_rotated.py",
    ("rotate-certificates.md", "The certificate of nginx"): "ingest/test_edges.py",
    ("rotate-certificates.md", "The certificate of HAProxy"): "ingest/test_edges.py",
}
TESTS = Path(__file__).parents[1]
SUDOERS = UNITS / "pipeline.sudoers"
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

    @property
    def settings(self) -> Settings:
        """Of Kafka, as the machine has them."""
        text = (self.machine.folder / "etc" / "pipeline.env").read_text()
        own = dict(re.findall(r"^PIPELINE_(KAFKA\w+|TOPIC_PREFIX)=(.*)$", text, re.MULTILINE))
        return Settings(_env_file=None, **{name.lower(): value for name, value in own.items()})

    def versions(self) -> set[str]:
        """Those that the running units are of."""
        found = [systemctl.running(self.machine.folder, unit) for unit in RUNNING]
        lines = [each.cmdline() for each in found if each is not None]
        return {VERSION if f"pipeline/{VERSION}/" in line[0] else "0.1.0" for line in lines}

    @property
    def home(self) -> Path:
        text = (self.machine.folder / "etc" / "pipeline.env").read_text()
        return Path(re.findall(r"^PIPELINE_HOME=(.*)$", text, re.MULTILINE)[-1])

    def archive(self) -> None:
        """Move the events that are loaded into the archive, as settled days are."""
        self.machine.run("systemctl stop pipeline-load")
        live = self.home / "live.duckdb"
        with connect_live(live, self.settings.rules) as connection:
            days = connection.execute("SELECT DISTINCT day FROM hot_events").fetchall()
            for (day,) in days:
                freeze(connection, archive_folder(live), Span(day, day))
        self.machine.run("systemctl start pipeline-load")

    def counted(self) -> int:
        """Events in the snapshot."""
        with duckdb.connect(self.home / "analytics.duckdb", read_only=True) as snapshot:
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
        machine.run("mkdir /var/lib/pipeline/large")
        machine.more.update(only_from(built(tmp_path_factory.mktemp("next"))))
        token = machine.run("pipeline topics; pipeline stores add shop").split()[-1]
        machine.run(f"systemctl start {' '.join(RUNNING)}")
        shop = Shop(machine, port, token)
        wait_for(shop.send)
        wait_for(shop.is_counted)
        shop.archive()
        machine.run("pipeline status --wait 2m && pipeline backup /var/backups/pipeline")  # by cron
        yield shop
    finally:
        print(machine.logs())
        machine.stop()


def perform(shop: Shop, page: str) -> None:
    """Type all of a page, while the store sends."""
    for block in blocks(page):
        if "rm -rf" in block:
            homes = [*shop.machine.folder.glob("lib/**/home")]
            assert_refused_without_loader(shop, block)
            assert homes == [*shop.machine.folder.glob("lib/**/home")] != []
        printed = shop.machine.run(block)
        if "pip install" in block:
            lend_dependencies(shop.machine.folder / "opt" / "pipeline" / VERSION)
        if "stores rotate" in block:
            shop.token = printed.split()[-1]
            wait_for(shop.send)
        shop.send()


def assert_refused_without_loader(shop: Shop, block: str) -> None:
    """The block does not go on to what stands after its wait, in a shell that goes on at errors."""
    shop.machine.run("systemctl stop pipeline-load")
    done = shop.machine.typed(block.replace("--wait 10m", "--wait 0s"))
    assert done.returncode == 1, done.stdout
    assert "no loader runs with the home" in done.stderr
    assert "holds" not in done.stdout
    shop.machine.run("systemctl start pipeline-load")


def assert_nothing_is_lost(shop: Shop) -> None:
    for unit in RUNNING:
        assert systemctl.running(shop.machine.folder, unit) is not None, shop.machine.logs()
    wait_for(shop.send)
    wait_for(shop.is_counted)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_performed_and_nothing_is_lost(shop: Shop, page: str) -> None:
    perform(shop, page)
    if "Restart ingest, one machine" in (RUNBOOKS / page).read_text():
        perform(shop, "rolling-restart.md")
    assert_nothing_is_lost(shop)
    if page == "change-retention.md":
        kept = [topic.config["retention.ms"] for topic in actual_topics(shop.settings)]
        assert kept[:3] == [str(days * 86_400_000) for days in (7, 30, 21)]
    if page in ("upgrade.md", "roll-back.md"):
        assert shop.versions() == {VERSION if page == "upgrade.md" else "0.1.0"}


def test_an_upgrade_that_changes_the_database_is_rolled_back_and_nothing_is_lost(
    shop: Shop,
) -> None:
    """ "If the new version has changed the database" of roll-back.md, which is restore.md."""
    opt = shop.machine.folder / "opt"
    (migrations,) = opt.glob(
        f"pipeline/{VERSION}/lib/python*/site-packages/pipeline/_sql/migrations"
    )
    (migrations / "9999_next.sql").write_text("CREATE TABLE of_the_next_version (x INTEGER);")
    for block in blocks("upgrade.md")[1:]:  # the first one has installed it
        shop.machine.run(block)
        shop.send()
    wait_for(shop.is_counted)
    shop.machine.run(blocks("roll-back.md", "")[0])
    refusal = "has migration 9999_next, which this version does not know"
    wait_for(lambda: refusal in shop.machine.said("pipeline-load"))
    wait_for(lambda: systemctl.running(shop.machine.folder, "pipeline-load") is None)
    perform(shop, "restore.md")
    assert_nothing_is_lost(shop)
    assert shop.versions() == {"0.1.0"}


def test_a_bare_machine_is_installed(shop: Shop, kafka: Broker, tmp_path: Path) -> None:
    machine = Machine.bare(tmp_path / "m")
    machine.more.update(shop.machine.more)
    _, install, prepare, start = (block.replace("0.1.0", VERSION) for block in blocks("install.md"))
    try:
        machine.run(install, login="")
        lend_dependencies(machine.folder / "opt" / "pipeline" / VERSION)
        machine.set(
            kafka_bootstrap_servers=kafka.bootstrap_servers,
            topic_prefix=f"t{uuid4().hex[:8]}-",
            replication="1",
            ingest_port="0",
            admin_port="0",
            dashboard_port=str(free_port()),
            metrics_port="0",
        )
        assert "token" in machine.run(prepare)
        assert "snapshot: published" in machine.run(start)
        for unit in RUNNING:
            assert systemctl.running(machine.folder, unit) is not None, machine.logs()
    finally:
        machine.stop()


@pytest.mark.parametrize(
    "line",
    [
        "touch /opt/x",
        "touch /etc/systemd/system/x",
        "ln -sfn /opt/pipeline/0.2.0 /opt/y",
        pytest.param(
            "rm -r /var/lib/pipeline/read-only",
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="rm asks root nothing"),
        ),
    ],
)
def test_a_machine_refuses_what_a_user_cannot_do(tmp_path: Path, line: str) -> None:
    machine = Machine.bare(tmp_path / "m")
    machine.run("touch /var/lib/pipeline/read-only; chmod 400 /var/lib/pipeline/read-only")
    refused = machine.typed(line)
    assert refused.returncode != 0 or (machine.folder / "lib" / "read-only").exists()
    machine.run(f"sudo {line.replace('rm -r', 'rm -rf')}")


def test_user_pipeline_may_do_what_the_pages_type_with_sudo() -> None:
    (rule,) = re.findall(r"^pipeline .*systemctl (\^.*\$)$", SUDOERS.read_text(), re.MULTILINE)
    for page in sorted(RUNBOOKS.glob("*.md")):
        found = sections(page.name)
        if page.name == "install.md":  # its first step is for someone else
            found[""].pop(0)
        for title, typed in found.items():
            if title in ("The certificate of nginx", "The certificate of HAProxy"):
                continue
            for line in re.findall(r"^sudo (.*)$", "".join(typed), re.MULTILINE):
                assert re.fullmatch(rf"systemctl {rule[1:-1]}", line), (page.name, line)


def test_each_page_is_performed_and_listed() -> None:
    there = {page.name for page in RUNBOOKS.glob("*.md")} - {"README.md"}
    assert {*PAGES, *(page for page, _ in ELSEWHERE)} == there
    assert set(re.findall(r"\((\S+\.md)\)", (RUNBOOKS / "README.md").read_text())) >= there


@pytest.mark.parametrize("page", sorted({page for page, _ in ELSEWHERE}))
def test_every_section_with_commands_is_typed_by_the_test_that_is_named(page: str) -> None:
    titles = [title for name, title in ELSEWHERE if name == page]
    if titles != [None]:
        assert [title for title, found in sections(page).items() if found] == titles
    for title in titles:
        test = (TESTS / ELSEWHERE[page, title]).read_text()
        named = f'"{page}"' + ("" if title is None else f', "{title}"')
        assert re.search(rf"\b(blocks|perform)\((shop, )?{re.escape(named)}\)", test), named


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.name)
def test_a_page_shows_nothing_but_commands(page: Path) -> None:
    """Whatever it shows is typed; a block of another language would not be."""
    fences = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)
    assert fences[0::2] == ["sh"] * len(blocks(page.name))
    assert set(fences[1::2]) == {""}


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.name)
def test_who_starts_a_loader_waits_for_it_and_goes_on_only_if_it_has_published(page: Path) -> None:
    wait = "pipeline status --wait 10m"
    typed = "".join(blocks(page.name))
    starts = [*re.finditer(r"systemctl (re)?start .*pipeline-load", typed)]
    assert not starts or wait in typed[starts[-1].end() :]
    assert "--older-than" not in typed  # an idle shop has nothing old
    for block in blocks(page.name):
        *before, last = block.splitlines()
        assert not any(line.startswith((wait, "rm ")) for line in before)
        assert "rm -r" not in last or last.startswith(f"{wait} && pipeline check && rm -rf ")


def used(page: Path) -> Iterator[list[str]]:
    """The words of each command `pipeline` on a page, in any version's folder."""
    for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in re.findall(r"(?:^|[ /])pipeline +([a-z][^\n;>|&]*)", block, re.MULTILINE):
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
