from __future__ import annotations

from collections.abc import Iterator

import pytest
from house import Warehouse


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    warehouse = Warehouse(tmp_path_factory.mktemp("warehouse") / "live.duckdb")
    yield warehouse
    warehouse.connection.close()


@pytest.fixture
def warehouse(made: Warehouse) -> Warehouse:
    made.clear()
    return made
