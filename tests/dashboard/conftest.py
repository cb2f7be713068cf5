"""A dashboard over a folder of its own, and one over the small shop that tests only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboard_shop import Served, history, publish, serving

from pipeline.config import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, dashboard_port=0)


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serving(settings) as one:
        yield one


@pytest.fixture(scope="session")
def shop_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a snapshot with the stores `atelier` and `kiosk`."""
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("shop"), dashboard_port=0)
    publish(settings, history(), history("kiosk", price="70", partition=1))
    return settings


@pytest.fixture(scope="session")
def shop(shop_settings: Settings) -> Iterator[Served]:
    """Serves it to all tests of the process; none publishes another."""
    with serving(shop_settings) as one:
        yield one
