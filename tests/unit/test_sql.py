"""The order of the SQL files is that of what they use, not of what they speak of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.warehouse import sql


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "views").mkdir()
    monkeypatch.setattr(sql, "FOLDER", tmp_path)
    caches = (sql.files, sql.in_order, sql.table_macros)
    for cached in caches:
        cached.cache_clear()
    yield tmp_path / "views"
    for cached in caches:
        cached.cache_clear()


def test_a_file_comes_after_the_one_that_it_uses(folder: Path) -> None:
    (folder / "a.sql").write_text("-- First.\nFROM b;")
    (folder / "b.sql").write_text("-- Second.\nSELECT 1;")
    assert [name for name, _ in sql.in_order("views")] == ["b", "a"]


def test_a_comment_uses_nothing(folder: Path) -> None:
    (folder / "a.sql").write_text("-- First.\nFROM b;")
    (folder / "b.sql").write_text("-- What a reads.\nSELECT 1; -- a\n")
    assert sql.in_order("views") == [
        ("b", "-- What a reads.\nSELECT 1; -- a\n"),
        ("a", "-- First.\nFROM b;"),
    ]
