"""Runners: from requests to numbers. Each case must come out the same of all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from factories import Log
from golden.case_parser import Run, words
from warehouse_fixture import Warehouse

from pipeline.domain.catalog import COUNTS
from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.ingest.intake import Intake
from pipeline.replay.files import BadLine, read_requests
from pipeline.replay.local import replay
from pipeline.warehouse.database import connect_live

RULES = Rules()
# A device's second event finds no room: all but the first are recomputed from `events`.
ONE_KEY = Rules(most_keys=1)

Seen = dict[int, dict[str, Any]]


def outcomes_of(run: Run, rules: Rules) -> list[list[Outcome]]:
    """The stream's answers to each request of `run`, which has a partition for itself."""
    log = Log(rules, run.number)
    answers = []
    for line in run.requests():
        (request,) = read_requests([msgspec.json.encode(line)])
        assert not isinstance(request, BadLine), request
        accepted = Intake().take(
            request.body,
            headers=request.headers,
            sender=request.sender("shop"),
            received_at=0,
        )
        assert accepted.rejected == [], (run.case.name, accepted.rejected)
        answers.append(
            [
                log.append(key, value, appended_at=line["received_at"])
                for key, value in accepted.records
            ]
        )
    return answers


def loaded(runs: Iterable[Run], path: Path, rules: Rules, *, at_once: bool) -> Warehouse:
    """All runs through the stream and the loader; a transaction for each run's nth request."""
    warehouse = Warehouse(path, rules)
    waiting = [outcomes_of(run, rules) for run in runs]
    if at_once:
        warehouse.load(outcome for answers in waiting for one in answers for outcome in one)
        assert warehouse.broken() == {}
    else:
        for place in range(max(map(len, waiting))):
            warehouse.load(
                outcome
                for answers in waiting
                for one in answers[place : place + 1]
                for outcome in one
            )
            assert warehouse.broken() == {}
    return warehouse


def by_transactions(runs: list[Run], folder: Path) -> Seen:
    """The stream, then one record a transaction."""
    return seen(loaded(runs, folder / "one.duckdb", RULES, at_once=False).connection, runs)


def by_one_transaction(runs: list[Run], folder: Path) -> Seen:
    """The stream, then everything in one transaction."""
    return seen(loaded(runs, folder / "all.duckdb", RULES, at_once=True).connection, runs)


def by_recomputed_devices(runs: list[Run], folder: Path) -> Seen:
    """Nearly every event goes the way of late ones; the log's own counts differ, no row does."""
    warehouse = loaded(runs, folder / "recomputed.duckdb", ONE_KEY, at_once=False)
    found = seen(warehouse.connection, runs)
    for one in found.values():
        del one["duplicates"], one["late"], one["facts"]
    return found


def by_local(runs: list[Run], folder: Path) -> Seen:
    """`pipeline local` over one file, one partition for all: what is open is not the case's own."""
    file, database = folder / "golden.ndjson", folder / "local.duckdb"
    lines = [msgspec.json.encode(line) for run in runs for line in run.requests()]
    file.write_bytes(b"\n".join(lines))
    # Long after all of it: the run's own clock bounds every other (T8).
    replayed = replay(
        [str(file)], database=database, rules=RULES, clock=lambda: 9e9, batch_records=500
    )
    assert (replayed.rejected, replayed.bad_lines) == (0, [])
    with connect_live(database, RULES) as connection:
        found = seen(connection, runs)
    for one in found.values():
        for session in one["sessions"]:
            del session["open"]
    return found


def by_recompute(runs: list[Run], folder: Path) -> Seen:
    """Batch SQL over `events`, with nothing of the stream but what is in that table."""
    connection = loaded(runs, folder / "sql.duckdb", RULES, at_once=True).connection
    for name, query in RECOMPUTED.items():
        connection.execute(f"CREATE TEMP TABLE re_{name} AS {query}")
    return seen(connection, runs, prefix="re_")


RUNNERS: dict[str, Callable[[list[Run], Path], Seen]] = {
    "one transaction": by_one_transaction,
    "recompute": by_recompute,
    "local": by_local,
    "transactions": by_transactions,
    "recomputed devices": by_recomputed_devices,
}

RECOMPUTED = {
    "order_lines": "FROM recompute_order_lines()",
    "sessions_alone": "FROM recompute_sessions('events')",
    "session_revenue": "FROM recompute_session_revenue('re_sessions_alone', 're_order_lines')",
    "sessions": """
        SELECT s.*, o.orders IS NOT NULL AS has_converted, coalesce(o.orders, 0) AS orders,
            stream_time <= ended_at + (SELECT gap FROM rules) AS is_open
        FROM re_sessions_alone AS s
        LEFT JOIN recompute_session_orders('re_sessions_alone', 're_order_lines') AS o
            USING (session_key)
        JOIN ledger USING (partition)""",
    "conversions": """
        SELECT c.* REPLACE (
            CASE WHEN l.event_key IS NULL THEN c.quantity ELSE l.quantity END AS quantity,
            CASE WHEN l.event_key IS NULL THEN c.revenue ELSE l.revenue END AS revenue,
            CASE WHEN l.event_key IS NULL THEN c.currency ELSE l.currency END AS currency
        )
        FROM recompute_conversions('events') AS c
        LEFT JOIN re_order_lines AS l USING (event_key, occurred_at, line)
        WHERE coalesce(l.is_counted, true)""",
    "conversion_touches": "FROM recompute_conversion_touches('events')",
}


def seen(connection: duckdb.DuckDBPyConnection, runs: list[Run], *, prefix: str = "") -> Seen:
    """What the tables say of each run, in the words of the cases."""
    begins = {run.number: run.begins_at for run in runs}
    found: Seen = {
        number: {
            "sessions": [],
            "conversions": [],
            "lines": [],
            "duplicates": {},
            "late": 0,
            "facts": 0,
            "skewed": 0,
        }
        for number in begins
    }

    def rows(query: str) -> Iterable[tuple[int, dict[str, Any]]]:
        result = connection.execute(query)
        names = [column[0] for column in result.description or []]
        for values in result.fetchall():
            row = dict(zip(names, values, strict=True))
            number, row["store"] = row["store"].split("/")
            yield (
                int(number),
                {name: _said(value, begins[int(number)]) for name, value in row.items()},
            )

    earned: dict[Any, dict[str, str]] = defaultdict(dict)
    for _, row in rows(
        f"SELECT store_id AS store, * EXCLUDE (store_id) FROM {prefix}session_revenue"
    ):
        earned[row["session_key"]][row["currency"]] = row["revenue"]
    for number, row in rows(SESSIONS.format(prefix=prefix)):
        row["count"] = {kind: row[name] for kind, name in COUNTS.items() if row[name]}
        row["revenue"] = earned.get(row["session_key"], {})
        found[number]["sessions"].append(row)
    paths: dict[Any, list[str]] = defaultdict(list)
    for _, row in rows(PATHS.format(prefix=prefix)):
        paths[row["conversion_key"]].append(f"{row['token']}/{row['product']} at {row['at']}")
    for number, row in rows(CONVERSIONS.format(prefix=prefix)):
        row["path"] = paths.get(row["conversion_key"], [])
        found[number]["conversions"].append(row)
    for number, row in rows(LINES.format(prefix=prefix)):
        found[number]["lines"].append(row)
    for number, row in rows("SELECT store_id AS store, kind FROM duplicates"):
        kinds = found[number]["duplicates"]
        kinds[row["kind"]] = kinds.get(row["kind"], 0) + 1
    for number, row in rows("SELECT store_id AS store, is_late, is_clock_skewed FROM events"):
        found[number]["facts"] += 1
        found[number]["late"] += row["is_late"]
        found[number]["skewed"] += row["is_clock_skewed"]
    return found


def _said(value: Any, begins_at: int) -> Any:
    if value is None:
        return ""
    if isinstance(value, datetime):
        ms = (value - datetime(1970, 1, 1)) // MILLISECOND  # noqa: DTZ001  # naive, and UTC
        return words(ms - begins_at)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, str)):
        return value
    return str(value)


MILLISECOND = RULES.gap / RULES.gap_ms

SESSIONS = """
SELECT store_id AS store, started_at AS start, ended_at AS "end", session_id AS session,
    device_key AS device, first_event_type AS first, entry_collection AS collection,
    entry_query AS query, entry_product_id AS product, marketing_source AS source,
    marketing_medium AS medium, marketing_campaign AS campaign, shopping_channel AS channel,
    device_type AS kind, landing_token AS landing, landing_product_id AS landed_on,
    is_bot AS bot, is_report AS report, has_converted AS converted, is_open AS open,
    * EXCLUDE (store_id, partition)
FROM {prefix}sessions
ORDER BY started_at, ended_at, store_id, device_key, session_id"""

PATHS = """
SELECT store_id AS store, conversion_key, touched_at AS at, attribution_token AS token,
    product_id AS product
FROM {prefix}conversion_touches ORDER BY conversion_key, position"""

CONVERSIONS = """
SELECT store_id AS store, conversion_type AS type, occurred_at AS at, device_key AS device,
    session_id AS session, product_id AS product, variant_id AS variant, quantity, revenue,
    currency, match, attribution_token AS token, line, is_bot AS bot, touches,
    last_touch_token AS last, conversion_key
FROM {prefix}conversions
ORDER BY occurred_at, store_id, device_key, line, product_id, attribution_token"""

LINES = """
SELECT store_id AS store, occurred_at AS at, device_key AS device, order_id AS "order",
    refund_id AS refund, product_id AS product, variant_id AS variant, quantity, revenue,
    currency, attribution_token AS token, line, is_refund, is_repeated AS repeated,
    is_unconfirmed AS unconfirmed, day
FROM {prefix}order_lines
ORDER BY occurred_at, store_id, device_key, line, product_id"""
