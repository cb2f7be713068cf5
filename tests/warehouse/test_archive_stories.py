"""Whatever is loaded, frozen, merged and given up, in any order: `events` is what was loaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from archived import contents, day
from factories import DAY, MINUTE, Log, cart, click, purchase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warehouse_fixture import RULES, Warehouse

from pipeline.warehouse.archive.freezing import Freezer, WrittenFile
from pipeline.warehouse.manifest import archive_folder

KINDS = (click, cart, purchase)
DAYS = st.integers(0, 9)  # of two months

# Events of some devices; in no order, so that many are late.
loads = st.lists(
    st.tuples(st.integers(1, 3), DAYS, st.integers(0, 90), st.sampled_from(KINDS)),
    min_size=1,
    max_size=5,
)
steps = st.one_of(
    st.tuples(st.just("load"), loads),
    st.tuples(st.sampled_from(["write day", "write month", "merge day", "merge month"]), DAYS),
    # Twice as often as giving up, which is what a kill does.
    st.tuples(st.sampled_from(["name", "name", "give up"]), st.none()),
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    made = Warehouse(tmp_path_factory.mktemp("stories") / "live.duckdb")
    yield made
    made.connection.close()


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=st.lists(steps, min_size=8, max_size=16))
def test_events_are_what_was_loaded(warehouse: Warehouse, story: list[tuple[str, object]]) -> None:
    warehouse.clear()
    connection, folder = warehouse.connection, archive_folder(warehouse.path)
    shutil.rmtree(folder, ignore_errors=True)
    log, freezer = Log(RULES), Freezer(folder)
    written: WrittenFile | None = None
    for what, detail in story:
        before = contents(connection)
        if what == "load":
            sent = [
                log.send(make(number * DAY // MINUTE + minute), device=f"d:{device}")
                for device, number, minute, make in detail
            ]
            warehouse.load(sent)
            after = contents(connection)
            assert len(after) == len(before) + len(sent)
            assert set(map(repr, before)) <= set(map(repr, after))
            continue
        if what == "name" and written is not None:
            freezer.name(connection, written)
            written = None
        elif what == "give up":
            written = None
        elif written is None and detail is not None:
            operation, length = what.split()
            span = day(detail) if length == "day" else day(detail).month
            write = freezer.freeze if operation == "write" else freezer.merge
            written = write(connection, span)
        assert contents(connection) == before
    assert not warehouse.broken()
