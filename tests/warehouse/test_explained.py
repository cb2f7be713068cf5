"""What `pipeline query --explain` prints is SQL that any client can run on the snapshot."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import duckdb
import pytest
from warehouse_fixture import Warehouse

from pipeline.warehouse.parameters import explained, parameters_of
from pipeline.warehouse.queries import ask
from pipeline.warehouse.sql import files

GIVEN = {
    "store": "story-1",
    "first": "2025-11-23",
    "last": "2025-11-25",
    "grain": "product",
    "token": "red",
    "other": "blue",
}
# Of a story in which they have an answer.
ELSEWHERE = {"compare_tokens": {"store": "story-17"}, "fields": {"store": "story-17"}}


@pytest.fixture(scope="module")
def client(
    shops: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """One that knows of no macro."""
    copy = tmp_path_factory.mktemp("explained") / "copy.duckdb"
    shops.connection.execute("CHECKPOINT")
    shutil.copy(shops.path, copy)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{copy}' AS shop (READ_ONLY)")
        connection.execute("USE shop")
        yield connection


@pytest.mark.parametrize("name", [name for name, _ in files("queries")])
def test_it_answers_as_the_question_does(
    shops: Warehouse, client: duckdb.DuckDBPyConnection, name: str
) -> None:
    given = GIVEN | ELSEWHERE.get(name, {})
    values = {key: given[key] for key in parameters_of(name) if key in given}
    answer = ask(shops.connection, name, values)
    assert answer.rows
    assert client.execute(explained(name, values)).fetchall() == answer.rows
    assert client.execute(explained(name, {})).fetchall() == ask(shops.connection, name, {}).rows


def test_a_value_ends_no_text_of_it(client: duckdb.DuckDBPyConnection) -> None:
    text = explained("funnel", {"store": "it's; DROP VIEW funnel"})
    assert client.execute(text).fetchall() == []
