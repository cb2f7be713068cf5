"""Clients that need no more than the tests do; `make clients` tries the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from connecting.conversation import python, talking
from connecting.packages import OTHERS, PACKAGES
from connecting.page import snippets
from connecting.shop import QUESTION, Shop, assert_follows
from duckdb_clients import client

OLDEST, OLD = "1.2.0", "1.5.6"
HERE = ["Python", "Polars"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("connecting"))
    yield made
    made.close()


@pytest.mark.parametrize("section", HERE)
def test_a_snippet_follows_the_snapshots(shop: Shop, section: str) -> None:
    with talking(python(section, shop.folder), shop.folder) as conversation:
        assert conversation.said  # what the page shows
        assert_follows(conversation.ask, shop)


@pytest.mark.parametrize("version", [OLDEST, OLD])
def test_an_older_client_follows_them_too(shop: Shop, version: str, cache: Path) -> None:
    command = python("Python", shop.folder, client(version, cache))
    with talking(command, shop.folder) as conversation:
        assert conversation.version == version
        assert_follows(conversation.ask, shop)


def test_every_snippet_of_the_page_is_run() -> None:
    assert snippets().keys() == {*HERE, *PACKAGES, *OTHERS}


def test_what_is_open_stays_open_as_the_page_warns(shop: Shop) -> None:
    path = shop.folder / "data" / "analytics.duckdb"
    count = QUESTION.replace("shop.", "")
    with duckdb.connect(path, read_only=True) as first, duckdb.connect() as attached:
        old = first.execute(count).fetchall()
        replace = f"ATTACH OR REPLACE '{path}' AS shop (READ_ONLY)"
        attached.execute(replace)
        shop.publish()
        with duckdb.connect(path, read_only=True) as second:
            assert second.execute(count).fetchall() == old
        attached.execute(replace)
        assert attached.execute(QUESTION).fetchall() == old
    with duckdb.connect(path, read_only=True) as next_one:
        assert next_one.execute(count).fetchall() == [(shop.events, shop.events)] != old


def test_what_is_in_use_cannot_be_detached(shop: Shop) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{shop.folder}/data/analytics.duckdb' AS shop (READ_ONLY)")
        connection.execute("USE shop")
        with pytest.raises(duckdb.BinderException, match="Cannot detach"):
            connection.execute("DETACH DATABASE IF EXISTS shop")
