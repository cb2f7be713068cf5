from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pipeline.domain import catalog, rules
from pipeline.domain.rules import Rules

OTHERS: dict[str, Any] = {
    "gap": timedelta(minutes=31),
    "lookback": timedelta(days=8),
    "lateness": timedelta(hours=73),
    "most_keys": 20_001,
    "most_rows": 501,
    "most_claims": 5_001,
    "most_touches": 51,
}


@pytest.mark.parametrize("name", OTHERS)
def test_rules_that_could_give_other_rows_have_another_digest(name: str) -> None:
    assert Rules(**{name: OTHERS[name]}).digest() != Rules().digest()


def test_the_half_life_is_read_by_views_alone() -> None:
    assert Rules(half_life=timedelta(days=1)).digest() == Rules().digest()


def test_every_rule_is_looked_at() -> None:
    fields = msgspec.structs.fields(Rules)
    names = {field.name for field in fields if not field.name.endswith("_ms")}
    assert names == OTHERS.keys() | {"half_life"}


@pytest.mark.parametrize(
    "ranks",
    [
        {**catalog.RANK, "thirteenth": 8},
        {**catalog.RANK, "refund": 6},
        dict(reversed(catalog.RANK.items())),
    ],
    ids=["a type more", "another rank", "another order of the counts"],
)
def test_another_catalog_has_another_digest(
    ranks: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Rules().digest()
    monkeypatch.setattr(catalog, "RANK", ranks)
    assert Rules().digest() != before


def test_a_version_of_the_warehouse_keeps_the_workers_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream, warehouse = Rules().digest(), Rules().warehouse_digest()
    monkeypatch.setattr(rules, "WAREHOUSE_VERSION", 0)
    assert Rules().digest() == stream
    assert Rules().warehouse_digest() != warehouse


def test_a_version_of_the_stream_is_in_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Rules().digest()
    monkeypatch.setattr(rules, "STREAM_VERSION", 0)
    assert Rules().digest() != stream
