"""Real shopping, counted twice: by `pipeline local`, and by SQL over the raw lines alone.

The SQL here knows nothing of our tables, macros or keys; whole result sets are compared.
"""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest
from beacons import END

from pipeline.domain.events import Request
from pipeline.domain.rules import Rules
from pipeline.ingest.accept import accept
from pipeline.ingest.sender import Sender
from pipeline.replay.local import replay
from pipeline.traffic import requests

KINDS = {"search", "product_impression", "product_click", "product_view", "add_to_cart"}

RAW = """
CREATE TABLE raw AS
SELECT
    device_id AS device, session_id AS session, event_type AS type, event_id AS id,
    attribution_token AS token, product_id AS product, position,
    epoch_ms(CAST(replace(timestamp, 'Z', '') AS TIMESTAMP)) AS ms
FROM (
    SELECT *, row_number() OVER () AS line
    FROM read_json($file, format = 'newline_delimited', columns = {
        event_id: 'VARCHAR', event_type: 'VARCHAR', timestamp: 'VARCHAR', session_id: 'VARCHAR',
        device_id: 'VARCHAR', query: 'VARCHAR', attribution_token: 'VARCHAR',
        product_id: 'BIGINT', position: 'BIGINT'
    })
)
-- The contract refuses a search that does not say for what: a good part of ubi's are so.
WHERE type <> 'search' OR query IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY device_id, event_id ORDER BY line) = 1
"""

NO_CARTS = "SELECT count(*) FROM raw WHERE type = 'add_to_cart'"

# Each question asked of the raw lines, and of our tables.
QUESTIONS = {
    "events": (
        "SELECT id, device, session, type, ms FROM raw",
        """SELECT event_id, device_id, session_id, event_type, epoch_ms(occurred_at)
           FROM ours.events""",
    ),
    "devices": (
        "SELECT device, count(*) FROM raw GROUP BY ALL",
        "SELECT device_id, count(*) FROM ours.events GROUP BY ALL",
    ),
    "sessions": (
        """SELECT device, session, min(ms), max(ms), count(*)
           FROM (
               SELECT *, sum(opens) OVER (PARTITION BY device, session ORDER BY ms) AS nth
               FROM (
                   SELECT *, CASE WHEN ms - max(ms) OVER (
                       PARTITION BY device, session ORDER BY ms
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ) <= 1800000 THEN 0 ELSE 1 END AS opens
                   FROM raw
               )
           )
           GROUP BY device, session, nth""",
        """SELECT substr(device_key, 3), session_id, epoch_ms(started_at), epoch_ms(ended_at),
               events
           FROM ours.sessions""",
    ),
    "positions": (
        """SELECT type, position, count(*) FROM raw
           WHERE type IN ('product_click', 'product_impression') GROUP BY ALL""",
        """SELECT event_type, position, count(*) FROM ours.events
           WHERE event_type IN ('product_click', 'product_impression') GROUP BY ALL""",
    ),
    "carts": (
        """WITH near AS (
               SELECT cart.id, cart.device, cart.ms, cart.product, cart.token,
                   click.token AS clicked, click.product AS on_product
               FROM raw AS cart
               LEFT JOIN raw AS click
                   ON click.type = 'product_click' AND click.token IS NOT NULL
                   AND click.device = cart.device
                   AND cart.ms - click.ms BETWEEN 0 AND 604800000
                   AND CASE WHEN cart.token IS NULL
                       THEN click.product = cart.product ELSE click.token = cart.token END
               WHERE cart.type = 'add_to_cart'
           )
           SELECT id, device, ms, product,
               CASE WHEN count(clicked) > 0 THEN if(any_value(token) IS NULL, 'carried', 'direct')
                   ELSE if(any_value(token) IS NULL, 'none', 'orphan') END,
               CASE WHEN any_value(token) IS NULL THEN count(DISTINCT clicked)
                   WHEN count(*) FILTER (WHERE on_product = product) > 0 THEN 1
                   ELSE count(DISTINCT on_product) END
           FROM near GROUP BY id, device, ms, product""",
        """SELECT event_id, substr(c.device_key, 3), epoch_ms(c.occurred_at), c.product_id, match,
               (SELECT count(*) FROM ours.conversion_touches AS t
                WHERE t.conversion_key = c.conversion_key)
           FROM ours.conversions AS c
           JOIN ours.events AS e
               ON c.event_key = e.event_key AND c.occurred_at = e.occurred_at
           WHERE conversion_type = 'add_to_cart'""",
    ),
}


def sample(path: Path) -> Path:
    """Generated shopping as such lines: valid events with an id, one a line, as they arrived."""
    kept = []
    for request in requests(3, devices=50, end=END, span=timedelta(days=10)):
        for event in request["events"]:
            line = msgspec.json.encode(event)
            if (
                event.get("event_type") in KINDS
                and isinstance(event.get("device_id"), str)
                and isinstance(event.get("event_id"), str)
                and isinstance(event.get("session_id"), str)
                and str(event.get("timestamp")).endswith("Z")
                and str(event["timestamp"]) < END.isoformat()
                and not _rejected(line)
            ):
                kept.append(line)
    path.write_bytes(gzip.compress(b"\n".join(kept), mtime=0))
    return path


def _rejected(line: bytes) -> bool:
    return bool(
        accept(
            b'{"events":[%b]}' % line,
            sender=Sender("local", may_backfill=True),
            request=Request(),
            is_app=False,
            received_at=round(END.timestamp() * 1000),
        ).rejected
    )


@pytest.fixture(scope="module", params=["ubi", "zozo", "sample"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> duckdb.DuckDBPyConnection:
    folder = tmp_path_factory.mktemp("real")
    # The files lie beside the checkout, or beside the folder of its worktrees.
    if request.param == "sample":
        file = sample(folder / "sample.ndjson.gz")
    else:
        name = f"shared/data/{request.param}.ndjson.gz"
        near = [folder / name for folder in Path(__file__).parents[3:5]]
        file = next((path for path in near if path.exists()), near[0])
        if not file.exists():
            pytest.skip(f"{file.name} is not in this checkout's neighbourhood")
    replayed = replay([str(file)], database=folder / "ours.duckdb", rules=Rules())
    assert replayed.bad_lines == []
    connection = duckdb.connect()
    connection.execute(RAW, {"file": str(file)})
    connection.execute(f"ATTACH '{folder / 'ours.duckdb'}' AS ours (READ_ONLY)")
    return connection


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_raw_lines_say_the_same(both: duckdb.DuckDBPyConnection, question: str) -> None:
    alone, ours = (
        sorted(both.execute(query).fetchall(), key=repr) for query in QUESTIONS[question]
    )
    # Of zozo's recommendations nobody was seen to fill a cart.
    assert alone or (question == "carts" and both.execute(NO_CARTS).fetchall() == [(0,)])
    assert ours == alone


def test_the_sample_is_attributed_in_three_ways(tmp_path: Path) -> None:
    database = tmp_path / "sample.duckdb"
    replay([str(sample(tmp_path / "sample.ndjson.gz"))], database=database, rules=Rules())
    with duckdb.connect(database, read_only=True) as connection:
        met = connection.execute("SELECT DISTINCT match FROM conversions ORDER BY ALL").fetchall()
    assert met == [("carried",), ("direct",), ("none",)]
