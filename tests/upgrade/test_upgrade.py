"""A warehouse of each earlier schema is brought to the present one, with the same totals.

`0006_what_stores_send.duckdb.gz` was made by commit 15b3cc4: `pipeline local` over the traffic of
two stores, one of them in Asia/Tokyo, and by hand two refunds, an order that a server confirms, a
prefetch, a late click with its cart, a refused event, and two requests that were sent twice.
"""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tables import broken_checks

from pipeline.cli.command import one_line
from pipeline.domain.rules import Rules
from pipeline.warehouse.database import DatabaseError, attached, connect_live, connect_published
from pipeline.warehouse.manifest import archive_files
from pipeline.warehouse.rebuild.adopt import adopt
from pipeline.warehouse.sql import files

FOLDER = Path(__file__).parent
TOTALS = {
    "events": 755,
    "late events": 2,
    "prefetched events": 1,
    "duplicates": 7,
    "rejected events": 3,
    "sessions": 45,
    "events in sessions": 754,
    "orders": 4,
    "revenue": [("JPY", Decimal("32389.0000")), ("USD", Decimal("321.3400"))],
    "refunded lines": 2,
    "confirmed price": [(150,)],
    "matches": [("carried", 2), ("direct", 6), ("none", 10)],
    "steps of paths": 8,
    "days in Tokyo": 8,
}
QUERIES = {
    "events": "SELECT count(*) FROM events",
    "late events": "SELECT count(*) FROM events WHERE is_late",
    "prefetched events": "SELECT count(*) FROM events WHERE is_prefetch",
    "duplicates": "SELECT count(*) FROM duplicates",
    "rejected events": "SELECT count(*) FROM rejected_events",
    "sessions": "SELECT count(*) FROM sessions",
    "events in sessions": "SELECT CAST(sum(events) AS BIGINT) FROM sessions",
    "orders": "SELECT CAST(sum(orders) AS BIGINT) FROM sessions",
    "revenue": "SELECT currency, sum(revenue) FROM session_revenue GROUP BY ALL ORDER BY ALL",
    "refunded lines": "SELECT count(*) FROM order_lines WHERE is_refund AND is_counted",
    "confirmed price": "SELECT CAST(price AS INT) FROM order_lines"
    " WHERE order_id = '#2000' AND is_counted",
    "matches": "SELECT match, count(*) FROM conversion_facts GROUP BY ALL ORDER BY ALL",
    "steps of paths": "SELECT count(*) FROM conversion_touches",
    "days in Tokyo": "SELECT count(DISTINCT day) FROM daily_traffic WHERE store_id = 'kiosk'",
}


def totals(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, query in QUERIES.items():
        rows = connection.execute(query).fetchall()
        found[name] = rows if isinstance(TOTALS[name], list) else rows[0][0]
    return found


def refused(path: Path) -> str:
    """Why this version does not load into the file as it is, as it does where rules changed."""
    try:
        connect_live(path, Rules()).close()
    except DatabaseError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("made", sorted(FOLDER.glob("*.duckdb.gz")), ids=lambda path: path.name)
def test_an_earlier_warehouse_becomes_one_of_this_version(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "live.duckdb"
    path.write_bytes(gzip.decompress(made.read_bytes()))
    with duckdb.connect(path) as connection:
        assert totals(connection) == TOTALS
    if advice := refused(path):
        assert advice.endswith("`pipeline rules adopt` adopts it")
        adopt(
            path, Rules(), zones={}, stream=lambda _, __: lambda _: None, progress=lambda *_: None
        )
    with connect_live(path, Rules()) as connection:
        assert totals(connection) == TOTALS
        applied = connection.execute("SELECT name FROM migrations ORDER BY ALL").fetchall()
        assert [name for (name,) in applied] == [name for name, _ in files("migrations")]
    assert broken_checks(path) == []


@pytest.mark.parametrize("read", ["query", "archive"])
def test_a_snapshot_of_an_earlier_version_is_refused_in_one_line(tmp_path: Path, read: str) -> None:
    path = tmp_path / "analytics.duckdb"
    path.write_bytes(gzip.decompress((FOLDER / "0006_what_stores_send.duckdb.gz").read_bytes()))
    with pytest.raises(duckdb.CatalogException) as refused:
        (connect_published if read == "query" else archived)(path)
    said = one_line(refused.value)
    assert "of another version of the pipeline: this version's loader upgrades it" in said
    assert len(said.splitlines()) == 1


def archived(path: Path) -> None:
    """What a backup and a check look at first."""
    with attached(path) as connection:
        archive_files(connection)
