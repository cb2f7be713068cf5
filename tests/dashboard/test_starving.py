"""A heavy question delays others of its kind, and no page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import duckdb
import pytest
from dashboard_shop import history, publish, serving
from processes import wait_for

from pipeline.config import Settings
from pipeline.dashboard.answers import Answers, quick_limit
from pipeline.dashboard.sections import ALL
from pipeline.dashboard.snapshot import BusyError, SnapshotReader

QUALITY = next(each for each in ALL if each.name == "quality")
# It ends by its limit, or with the test.
ENDLESS = "SELECT count(*) FROM range(1000000000000) AS r (x) WHERE x % 7 = 3"


@contextmanager
def held(reader: SnapshotReader) -> Iterator[None]:
    """A question that `reader` answers for as long as the `with` lasts."""
    begun, done = threading.Event(), threading.Event()

    def question(_connection: duckdb.DuckDBPyConnection) -> None:
        begun.set()
        done.wait(60)

    thread = threading.Thread(target=lambda: reader.read(question))
    thread.start()
    try:
        wait_for(begun.is_set)
        yield
    finally:
        done.set()
        thread.join()


def test_a_page_does_not_wait_for_a_heavy_section(settings: Settings) -> None:
    publish(settings, history())
    answers = Answers(settings.model_copy(update={"query_timeout": timedelta(seconds=20)}))
    with held(answers.slow):
        for _ in range(3):
            found = answers.page({"store": "atelier"}, whole=False).value.found
            assert "totals" in found
            assert "quality" not in found
    assert answers.section(QUALITY, {"store": "atelier"})[1]["quality"]


def test_a_page_does_not_wait_for_another_page(settings: Settings) -> None:
    publish(settings, history())
    answers = Answers(settings.model_copy(update={"query_timeout": timedelta(seconds=20)}))
    for reader in answers.quick:
        with held(reader):
            for _ in range(3):
                answers.page({"store": "atelier"}, whole=False)


def test_a_heavy_section_ends_at_its_limit_and_says_so(settings: Settings) -> None:
    publish(settings, history())
    with duckdb.connect(settings.database) as connection:
        connection.execute("DROP VIEW quality_fields")
        connection.execute(
            "CREATE VIEW quality_fields AS SELECT 'atelier' AS store_id, DATE '2025-11-24' AS day,"
            f" '' AS field, '' AS outcome, '' AS reason, ({ENDLESS}) AS field_events"
        )
    hasty = settings.model_copy(update={"query_timeout": timedelta(seconds=1)})
    with serving(hasty) as served:
        answer = served.ask("/section/quality", store="atelier")
    assert answer.status == 503
    assert answer.text.startswith("no answer within 1 s: ask for fewer days")
    assert "<" not in answer.text


def test_who_waits_for_longer_than_a_read_may_take_is_told_so(settings: Settings) -> None:
    publish(settings, history())
    reader = SnapshotReader(settings.database, patience=0.1)
    with held(reader), pytest.raises(BusyError, match="Other questions have taken more than"):
        reader.read(lambda _connection: None)
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


def test_answers_are_forgotten_before_they_fill_memory(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.dashboard.answers.MOST_ROWS", 15)
    publish(settings, history())
    answers = Answers(settings)
    first = answers.section(QUALITY, {"store": "atelier"})[1]
    assert answers.section(QUALITY, {"store": "atelier"})[1]["quality"] is first["quality"]
    answers.section(QUALITY, {"store": "atelier", "last": "2025-11-23"})
    assert answers.section(QUALITY, {"store": "atelier"})[1]["quality"] is not first["quality"]


@pytest.mark.parametrize(
    ("timeout", "quick"), [(0.2, 0.2), (9, 9), (60, 10), (61, 61 / 6), (600, 100)]
)
def test_a_longer_timeout_is_a_longer_one_for_quick_questions_too(
    timeout: float, quick: float
) -> None:
    assert quick_limit(timedelta(seconds=timeout)) == timedelta(seconds=quick)
