"""Shared fixtures: one real Kafka for the session, and settings for each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hanging import (  # noqa: F401 -- pytest takes its hooks from here
    pytest_configure,
    pytest_runtest_protocol,
    pytest_runtest_teardown,
    pytest_sessionstart,
    pytest_unconfigure,
)

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker

# Most of a minute each: what begins last should not take that long alone.
LONGEST = (
    "cli/test_sweep.py",
    "runbooks/test_runbooks.py",
    "warehouse/test_recompute.py",
    "ingest/test_edges.py",
    "warehouse/test_erased.py",
    "warehouse/test_adopt.py",
    "warehouse/test_partitions.py",
    "up/test_up.py",
    "up/test_adopted.py",
    "warehouse/test_archive_loader.py",
    "warehouse/test_expired_loader.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", default=200, help="Random stories under each set of rules.")
    parser.addoption("--every", default=7, help="Kill, or check all, at one step in so many.")
    parser.addoption("--long", action="store_true", help="All values and histories of each test.")
    parser.addoption("--kills", default=4, help="Kills in each test of tests/chaos.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--long` no test so marked; the longest files first."""
    if not config.getoption("--long"):
        config.hook.pytest_deselected(items=[each for each in items if _is_long(each)])
        items[:] = [each for each in items if not _is_long(each)]
    first = [Path(__file__).parent / name for name in LONGEST]
    assert all(map(Path.exists, first))
    items.sort(key=lambda item: first.index(item.path) if item.path in first else len(first))


def _is_long(item: pytest.Item) -> bool:
    return item.get_closest_marker("long") is not None


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_user() -> Iterator[None]:
    """Tests and their processes must not read a user's settings, except PIPELINE_CACHE."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("PIPELINE_") and name != "PIPELINE_CACHE":
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _temporary_files_in_pytest_s_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Also those of helpers that have no `tmp_path`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("unnamed")))
        yield


@pytest.fixture
def every(request: pytest.FixtureRequest) -> int:
    """At one in how many steps a process is killed, or a long story checked."""
    return int(request.config.getoption("--every"))


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether time is no concern."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def cache() -> Path:
    """The folder of Kafka's jars, shared by everything on this machine."""
    return Settings(_env_file=None).cache


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), cache) as broker:
        yield broker


@pytest.fixture
def settings(kafka: Broker, tmp_path: Path) -> Settings:
    """Settings with the test's own topic prefix and home, and free ports."""
    return Settings(
        _env_file=None,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=f"t{uuid4().hex[:8]}-",
        partitions=4,
        home=tmp_path,
        ingest_port=0,
        admin_port=0,
        dashboard_port=0,
        metrics_port=0,
        publish_interval=timedelta(milliseconds=200),
    )
