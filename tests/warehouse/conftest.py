from __future__ import annotations

from collections.abc import Iterator

import pytest
from shopping import shopping
from warehouse_fixture import RULES, TIGHT, Warehouse

from pipeline.domain.rules import Rules


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(RULES, id="roomy"),
        pytest.param(TIGHT, id="tight", marks=pytest.mark.long),
    ],
)
def rules(request: pytest.FixtureRequest) -> Rules:
    return request.param


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, rules: Rules) -> Iterator[Warehouse]:
    warehouse = Warehouse(tmp_path_factory.mktemp("warehouse") / "live.duckdb", rules)
    yield warehouse
    warehouse.connection.close()


@pytest.fixture
def warehouse(made: Warehouse) -> Warehouse:
    made.clear()
    return made


@pytest.fixture(scope="session")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A history that no test changes."""
    made = shopping(tmp_path_factory.mktemp("shops") / "live.duckdb")
    yield made
    made.connection.close()
