"""Clients of other packages, each installed anew: `make clients`. Needs a JDK, Node and npm.

Not found by pytest itself, so that the tests do without a network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from connecting.conversation import python, talking
from connecting.page import ROOT, snippet
from connecting.shop import Shop, assert_follows
from maven_artifact.artifact import Artifact
from maven_artifact.downloader import Downloader
from maven_artifact.requestor import Requestor
from maven_artifact.resolver import Resolver

from pipeline.devstack.broker.download import central

# By section, what its snippet imports. What is held back is said in docs/clients.md.
PACKAGES = {
    "pandas": ["pandas", "duckdb"],
    "SQLAlchemy": ["sqlalchemy", "duckdb-engine", "duckdb"],
    "Ibis": ["ibis-framework[duckdb]", "duckdb<2"],
}
# With a test of their own.
OTHERS = {"DuckDB CLI", "JDBC", "Node", "dbt"}
# 1.12 downloads a part of itself from beyond the package index.
DBT = ["dbt-duckdb", "dbt-core<1.12"]
JAVA = """
import java.io.*;

class Answer {
    public static void main(String[] none) throws Exception {
        Shop shop = new Shop();
        String version = shop.ask("SELECT substr(version(), 2)").get(0).get(0).toString();
        System.out.println("ready" + version);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            System.out.println(shop.ask(line));
        }
    }
}
"""
NODE = """
import { createInterface } from 'node:readline';

console.log('ready', (await ask("SELECT substr(version(), 2) AS version"))[0].version);
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify((await ask(line)).map(row => Object.values(row).map(Number))));
}
"""


class Table:
    """What was tried, as rows of docs/clients.md."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def add(self, client: str, version: str, engine: str) -> None:
        self.rows.append((client, version, engine))

    def text(self) -> str:
        return "".join(f"| {' | '.join(row)} | yes |\n" for row in sorted(self.rows))


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    made = Table()
    yield made
    print(f"\n{made.text()}")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., Path]:
    """Install packages; returns the folder of their commands."""

    def install(*packages: str) -> Path:
        subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
        commands = tmp_path / "venv" / "bin"
        subprocess.run([commands / "pip", "install", "--quiet", *packages], check=True)
        return commands

    return install


def version_of(commands: Path, package: str) -> str:
    read = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([commands / "python", "-c", read], capture_output=True, check=True)
    return done.stdout.decode().strip()


def with_commands(commands: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("section", PACKAGES)
def test_a_python_package(
    section: str, shop: Shop, installed: Callable[..., Path], table: Table
) -> None:
    commands = installed(*PACKAGES[section])
    command = python(section, shop.folder, interpreter=str(commands / "python"))
    with talking(command, shop.folder) as conversation:
        assert conversation.said
        assert_follows(conversation.ask, shop)
        name = PACKAGES[section][0].partition("[")[0]
        table.add(section, version_of(commands, name), conversation.version)


def test_the_command_line(shop: Shop, installed: Callable[..., Path], table: Table) -> None:
    commands = installed("duckdb-cli")
    program = snippet("DuckDB CLI")
    environment = with_commands(commands)

    def ask(question: str) -> list[list[Any]]:
        command = ["/bin/sh", "-ec", f'{program}\nask "$1"', "sh", question.replace("shop.", "")]
        done = subprocess.run(
            command, cwd=shop.folder, env=environment, capture_output=True, text=True, check=True
        )
        shown, answer = done.stdout.rstrip().rsplit("\n", 1)
        assert "sessions" in shown
        return [list(row.values()) for row in json.loads(answer)]

    assert_follows(ask, shop)
    version = version_of(commands, "duckdb-cli")
    table.add("DuckDB CLI", version, version)


def test_jdbc(shop: Shop, table: Table) -> None:
    artifact = Artifact("org.duckdb", "duckdb_jdbc", None)
    artifact.version = Resolver(central(), Requestor()).resolve(artifact).resolved_version
    jar = shop.folder / "duckdb_jdbc.jar"
    assert Downloader(central()).download(artifact, str(jar))
    (shop.folder / "Shop.java").write_text(snippet("JDBC"))
    (shop.folder / "Answer.java").write_text(JAVA)
    classes = f"{jar}{os.pathsep}{shop.folder}"
    compiled = ["javac", "-cp", classes, "-d", ".", "Shop.java", "Answer.java"]
    subprocess.run(compiled, cwd=shop.folder, check=True)
    with talking(["java", "-cp", classes, "Answer"], shop.folder) as conversation:
        assert_follows(conversation.ask, shop)
        table.add("JDBC", artifact.version, conversation.version)


def test_node(shop: Shop, table: Table) -> None:
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "@duckdb/node-api"]
    subprocess.run(install, cwd=shop.folder, check=True)
    (shop.folder / "ask.mjs").write_text(snippet("Node") + NODE)
    with talking(["node", "ask.mjs"], shop.folder) as conversation:
        assert conversation.said
        assert_follows(conversation.ask, shop)
        listed = ["npm", "list", "--parseable", "--long", "@duckdb/node-api"]
        done = subprocess.run(listed, cwd=shop.folder, capture_output=True, text=True, check=True)
        table.add("Node", done.stdout.strip().rsplit("@", 1)[1].split(":")[0], conversation.version)


def test_dbt(shop: Shop, installed: Callable[..., Path], table: Table) -> None:
    commands = installed(*DBT)
    shutil.copytree(ROOT / "examples" / "dbt", shop.folder / "examples" / "dbt")
    environment = with_commands(commands)

    def build() -> Any:
        command = ["/bin/sh", "-ec", snippet("dbt")]
        subprocess.run(command, cwd=shop.folder, env=environment, check=True)
        with duckdb.connect(shop.folder / "examples" / "dbt" / "marts.duckdb") as made:
            return made.execute("FROM as_of").fetchall()

    with shop.publishing():
        first, second = build(), build()
    assert first < second
    packages = ("dbt-duckdb", "dbt-core", "duckdb")
    dbt, core, engine = (version_of(commands, package) for package in packages)
    table.add("dbt", f"{dbt}, dbt-core {core}", engine)
