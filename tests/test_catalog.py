"""Compare every other place that lists types and fields with the catalog; name a forgotten file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from ingest.wire_cases import NOW_MS
from warehouse_fixture import Warehouse

from pipeline.domain import fields
from pipeline.domain.catalog import (
    ABOUT,
    COLUMNS,
    COUNTS,
    RANK,
    GivenEvent,
    GivenLine,
    ProductClick,
)
from pipeline.domain.events import Event
from pipeline.domain.fields import About
from pipeline.ingest.validate import validate
from pipeline.ingest.wire import Item, WireEvent

FORGOTTEN = "{} without a place in {}: {}"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    made = Warehouse(tmp_path_factory.mktemp("catalog") / "live.duckdb")
    yield made
    made.connection.close()


def columns_of(warehouse: Warehouse, relation: str) -> set[str]:
    return {row[0] for row in warehouse.rows(f"DESCRIBE FROM {relation}")}


def assert_all(kind: str, wanted: Iterable[str], place: str, held: Iterable[str]) -> None:
    missing = sorted({*wanted} - {*held})
    assert not missing, FORGOTTEN.format(kind, place, ", ".join(missing))


def test_every_field_is_read_from_the_wire() -> None:
    held = WireEvent.__struct_fields__
    assert_all("fields", set(GivenEvent.model_fields), "pipeline/ingest/wire.py", held)
    assert_all("fields", held, "pipeline/domain/catalog.py", set(GivenEvent.model_fields))
    assert list(held) == sorted(held), "pipeline/ingest/wire.py: the fingerprint needs their order"
    assert set(Item.__struct_fields__) == set(GivenLine.model_fields)


def test_every_type_of_a_field_is_used() -> None:
    named = {
        about
        for alias in vars(fields).values()
        for about in getattr(alias, "__metadata__", ())
        if isinstance(about, About)
    }
    unused = [about.meaning for about in named - {*ABOUT.values()}]
    assert_all("fields", unused, "pipeline/domain/catalog.py", ())


def test_every_field_with_a_column_is_in_a_valid_event() -> None:
    held = set(Event.__struct_fields__)
    assert_all("fields", set(COLUMNS), "pipeline/domain/events.py", held)


def test_every_field_with_a_column_has_it_in_events(warehouse: Warehouse) -> None:
    held = columns_of(warehouse, "events")
    assert_all("fields", set(COLUMNS), "events (a new file of sql/migrations)", held)


def test_every_type_is_counted_in_sessions(warehouse: Warehouse) -> None:
    held = columns_of(warehouse, "sessions")
    assert_all("counts", set(COUNTS.values()), "sessions (a new file of sql/migrations)", held)
    held = columns_of(warehouse, "recompute_sessions('events')")
    assert_all("counts", set(COUNTS.values()), "sql/recompute/sessions.sql (make docs)", held)


def test_every_type_has_its_rank_in_sql(warehouse: Warehouse) -> None:
    for name, rank in RANK.items():
        held = warehouse.rows(f"SELECT event_rank('{name}')")
        assert held == [(rank,)], f"sql/macros/event_rank.sql (make docs): {name}"


def test_every_type_has_its_own_count() -> None:
    assert len(set(COUNTS.values())) == len(COUNTS) == len(GivenEvent.__subclasses__())


def test_ingest_accepts_what_a_model_writes() -> None:
    click = ProductClick(
        timestamp="2026-07-01T12:00:00Z", session_id="s", product_id="7003338965178", position=3
    )
    event, reading = validate(
        click.model_dump_json(exclude_none=True), received_at=NOW_MS, may_backfill=False
    )
    assert reading is None
    assert msgspec.to_builtins(event) == click.model_dump(exclude_none=True)


def test_commands_start_without_the_models() -> None:
    code = "import sys, pipeline.cli.main; sys.exit('pipeline.domain.catalog' in sys.modules)"
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
