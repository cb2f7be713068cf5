"""A heavy question delays others of its kind, and no page."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from dashboard_shop import history, publish, serving
from page_text import section, tile
from processes import wait_for

from pipeline.config import Settings
from pipeline.dashboard.answers import Answers
from pipeline.dashboard.sections import ALL
from pipeline.dashboard.snapshot import BusyError, SnapshotReader

QUALITY = next(each for each in ALL if each.name == "quality")
# About ten seconds of work, so that a failing test ends.
ENDLESS = "SELECT count(*) FROM range(1000000000) AS r (x) WHERE x % 7 = 3"


@pytest.fixture
def heavy(settings: Settings) -> Settings:
    """A snapshot whose quality takes far longer than a reader waits."""
    publish(settings, history())
    with duckdb.connect(settings.database) as connection:
        connection.execute("DROP VIEW quality_fields")
        connection.execute(
            "CREATE VIEW quality_fields AS SELECT 'atelier' AS store_id, DATE '2025-11-24' AS day,"
            f" '' AS field, '' AS outcome, '' AS reason, ({ENDLESS}) AS field_events"
        )
    return settings.model_copy(update={"query_timeout": timedelta(seconds=2)})


def test_a_page_does_not_wait_for_a_heavy_section(heavy: Settings) -> None:
    with serving(heavy) as served:
        answers: list[int] = []
        asked = threading.Thread(
            target=lambda: answers.append(served.ask("/section/quality", store="atelier").status)
        )
        asked.start()
        try:
            for _ in range(3):
                page = served.get(store="atelier", whole="")
                assert tile(page, "Orders").startswith("2")
                assert "Counting" in section(page, "quality")
        finally:
            asked.join()
        # It ends at its limit, and the next of its kind has an answer.
        assert answers == [503]
        assert served.ask("/section/searches", store="atelier").status == 200


def test_a_heavy_section_is_reported_in_words(heavy: Settings) -> None:
    with serving(heavy) as served:
        answer = served.ask("/section/quality", store="atelier")
    assert answer.status == 503
    assert answer.text.startswith("no answer within 2 s: ask for fewer days")
    assert "<" not in answer.text


def test_who_waits_for_longer_than_a_read_may_take_is_told_so(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)
    publish(settings, history())
    reader = SnapshotReader(settings.database, patience=0.1)
    begun, done = threading.Event(), threading.Event()

    def held(_connection: duckdb.DuckDBPyConnection) -> None:
        begun.set()
        done.wait(30)

    thread = threading.Thread(target=lambda: reader.read(held))
    thread.start()
    try:
        wait_for(begun.is_set)
        with pytest.raises(BusyError, match="Other questions have taken more than"):
            reader.read(lambda _connection: None)
    finally:
        done.set()
        thread.join()
    assert reader.read(lambda _connection: 1).value == 1


def test_each_kind_of_question_has_memory_of_its_own(settings: Settings) -> None:
    publish(settings, history())
    mebibyte = 1024 * 1024
    limited = settings.model_copy(update={"query_memory_bytes": 64 * mebibyte})
    answers = Answers(limited)

    def memory(reader: SnapshotReader) -> str:
        limit = "SELECT current_setting('memory_limit')"
        return str(reader.read(lambda connection: connection.execute(limit).fetchall()).value[0][0])

    quick = [memory(reader) for reader in answers.quick]
    assert quick == ["16.0 MiB", "16.0 MiB"]
    assert memory(answers.slow) == "32.0 MiB"


def test_a_question_that_was_answered_is_not_asked_again(settings: Settings) -> None:
    publish(settings, history())
    answers = Answers(settings)
    selection, first = answers.section(QUALITY, {"store": "atelier"})
    _, second = answers.section(QUALITY, {"store": "atelier", "chart": "orders", "compare": "week"})
    assert all(first[query] is second[query] for query in QUALITY.queries)
    _, other = answers.section(QUALITY, {"store": "atelier", "last": "2025-11-23"})
    assert other["quality"] is not first["quality"]
    publish(settings, history(price="7"))
    _, fresh = answers.section(QUALITY, {"store": "atelier"})
    assert fresh["quality"] is not first["quality"]
    assert selection.store.name == "atelier"
