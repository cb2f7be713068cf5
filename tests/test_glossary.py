"""The glossary describes every column of the warehouse, with existing rules and fitting units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from warehouse_fixture import Warehouse, called

from pipeline.warehouse.queries import ask
from pipeline.warehouse.sql import files

DOCS = Path(__file__).parent.parent / "docs"
EVERYWHERE = "Everywhere"
JANUARY = "DATE '2026-01-01', DATE '2026-01-31'"
HEAD = "\n| column | meaning | rule | unit |\n|---|---|---|---|\n"
QUESTION = "pipeline query "
# DuckDB types that a unit allows.
TYPES = {
    "text": r"VARCHAR",
    "key": r"UUID",
    "hash": r"UBIGINT",
    "place": r"STRUCT\(occurred_at TIMESTAMP, rank UTINYINT, event_key UUID\)",
    "id": r"BIGINT",
    "number": r"INTEGER|BIGINT|UTINYINT",
    "count": r"BIGINT|HUGEINT|DECIMAL\(38,[19]\)",
    "money": r"DECIMAL\(\d+,[45]\)",
    "money each": r"DOUBLE",
    "share": r"DOUBLE|DECIMAL\(38,9\)",
    "ratio": r"DOUBLE",
    "time": r"TIMESTAMP",
    "day": r"DATE",
    "span": r"INTERVAL",
    "ms": r"BIGINT",
    "yes/no": r"BOOLEAN",
    "JSON": r"JSON",
    "list": r"(STRUCT\(.+\)|VARCHAR)\[\]",
}


@dataclass(frozen=True)
class Entry:
    meaning: str
    rules: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class Section:
    """The glossary's section of one table; `entries` by column."""

    grain: str
    entries: dict[str, Entry]

    @property
    def other(self) -> str | None:
        """The section that describes its other columns."""
        named = re.search(r"Other columns as in `(\w+)`", self.grain)
        return named[1] if named else None


def section(text: str) -> Section:
    grain, found, table = text.partition(HEAD)
    assert found, text
    entries: dict[str, Entry] = {}
    for row in table.strip().splitlines():
        column, meaning, rules, unit = (cell.strip() for cell in row.strip("|").split("|"))
        assert column not in entries, column
        entries[column] = Entry(meaning, tuple(re.findall(r"[^\s,]+", rules)), unit)
    return Section(grain.strip(), entries)


@pytest.fixture(scope="module")
def glossary() -> dict[str, Section]:
    """Sections by heading, including `Everywhere`."""
    parts = re.split(r"^###? (.+)$", (DOCS / "glossary.md").read_text(), flags=re.MULTILINE)
    sections = {
        name: section(text)
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
        if "| column |" in text
    }
    assert len(sections) == len(re.findall(r"^\| column \|", "".join(parts), re.MULTILINE))
    return sections


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Column to type, by table, view, table macro and question."""
    warehouse = Warehouse(tmp_path_factory.mktemp("glossary") / "live.duckdb")
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in warehouse.rows(
        "SELECT table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = current_database()"
        " ORDER BY table_name, column_index"
    ):
        found.setdefault(table, {})[column] = kind
    for name, text in files("macros"):
        if "AS TABLE" in text:
            result = warehouse.rows(f"DESCRIBE FROM {called(name, JANUARY)}")
            described = {column: kind for column, kind, *_ in result}
            # A view and a macro with the same name share a section.
            assert found.setdefault(name, described) == described, name
    for name in ("kpis",):
        answer = ask(warehouse.connection, name, {"first": "2026-01-01", "last": "2026-01-31"})
        text = dict(files("queries"))[name]
        types = warehouse.connection.execute(
            f"DESCRIBE {text}", dict.fromkeys(("first", "last", "grain", "store"))
        ).fetchall()
        found[QUESTION + name] = {column: kind for column, kind, *_ in types}
        assert list(found[QUESTION + name]) == answer.columns
    warehouse.connection.close()
    return found


def entry(glossary: dict[str, Section], name: str, column: str) -> Entry | None:
    """The entry of a column: from its section, the section it refers to, or Everywhere."""
    own = glossary[name]
    if column in own.entries:
        return own.entries[column]
    if own.other:
        return entry(glossary, own.other, column)
    return glossary[EVERYWHERE].entries.get(column)


def entries(glossary: dict[str, Section]) -> Iterator[tuple[str, Entry]]:
    for name, own in glossary.items():
        for column, found in own.entries.items():
            yield f"{name}.{column}", found


def test_tables_and_views_have_a_section_and_nothing_else_has(
    glossary: dict[str, Section], columns: dict[str, dict[str, str]]
) -> None:
    assert glossary.keys() - {EVERYWHERE} == columns.keys()


def test_every_column_has_a_meaning_in_its_section_or_everywhere(
    glossary: dict[str, Section], columns: dict[str, dict[str, str]]
) -> None:
    missing = [
        f"{name}.{column}"
        for name, types in columns.items()
        for column in types
        if entry(glossary, name, column) is None
    ]
    assert missing == []


def test_every_row_names_an_existing_column(
    glossary: dict[str, Section], columns: dict[str, dict[str, str]]
) -> None:
    held = [column for types in columns.values() for column in types]
    gone = [
        f"{name}.{column}"
        for name, own in glossary.items()
        for column in own.entries
        # A column of only one table belongs in that table's section.
        if (held.count(column) < 2 if name == EVERYWHERE else column not in columns[name])
    ]
    assert gone == []


def test_the_page_of_numbers_names_existing_columns(columns: dict[str, dict[str, str]]) -> None:
    text = (DOCS / "which-number.md").read_text()
    named = re.findall(r"`([a-z_]+)\.([a-z_]+)`", text)
    assert len(named) > 20
    assert [pair for pair in named if pair[1] not in columns[pair[0]]] == []


def test_every_row_has_a_meaning_and_names_existing_rules(
    glossary: dict[str, Section],
) -> None:
    rules = set(re.findall(r"^- \*\*(\w+)\*\*", (DOCS / "semantics.md").read_text(), re.MULTILINE))
    wrong = [where for where, row in entries(glossary) if not row.meaning or set(row.rules) - rules]
    assert wrong == []


def test_every_unit_fits_the_type_of_its_column(
    glossary: dict[str, Section], columns: dict[str, dict[str, str]]
) -> None:
    wrong = [
        f"{name}.{column}: {kind} is no {found.unit}"
        for name, types in columns.items()
        for column, kind in types.items()
        if (found := entry(glossary, name, column)) and not re.fullmatch(TYPES[found.unit], kind)
    ]
    assert wrong == []


def test_every_unit_is_explained() -> None:
    text = (DOCS / "glossary.md").read_text()
    (explained,) = re.findall(r"^Units: .+?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([^`]+)`", explained)) - {"currency"} == TYPES.keys()


def test_every_section_begins_with_its_grain(glossary: dict[str, Section]) -> None:
    for name, own in glossary.items():
        assert name == EVERYWHERE or re.match(r"One row(:| per) ", own.grain), name
