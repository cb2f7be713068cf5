"""Write docs/cookbook.md: each question, how to ask it, and its answer on sample traffic."""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import duckdb

from pipeline.cli.formats import as_markdown
from pipeline.devstack.demo import EDGE_HEADERS
from pipeline.domain.rules import Rules
from pipeline.ingest.enrichment import EdgeHeaders
from pipeline.ingest.intake import Intake
from pipeline.replay.local import replay
from pipeline.traffic import STORES
from pipeline.traffic import lines as traffic_lines
from pipeline.traffic.sample_catalog import sample_catalog
from pipeline.warehouse.catalog.store_file import write_store
from pipeline.warehouse.catalog.taking import CatalogTaker
from pipeline.warehouse.database import connect_published
from pipeline.warehouse.queries import QueryResult, ask, purpose
from pipeline.warehouse.sql import files

PAGE = Path(__file__).parent / "cookbook.md"
END = datetime(2026, 7, 1, tzinfo=UTC)
DEVICES, DAYS, ZONE = 200, 28, "Europe/Berlin"
# A long answer is shown by its first rows.
SHOWN = 6
STORE = {"store": "souk"}
ONE_DAY = {"first": "2026-06-20", "last": "2026-06-20"}
WEEK = {"first": "2026-06-15", "last": "2026-06-21"}
TOKENS = {"token": "RTiSA_26Tfv_Kh59", "other": "jQAYBOwKA5CqS18v"}
# Each question by its subject: its parameters, and its title where that is not its own.
SUBJECTS: dict[str, list[tuple[str, dict[str, str], str]]] = {
    "Visits": [
        ("traffic", STORE, ""),
        ("funnel", {}, ""),
        ("channels", STORE | WEEK, ""),
        ("session_length", {}, ""),
        ("new_and_returning", STORE | WEEK, ""),
        ("retention", STORE, ""),
        ("hours", STORE, ""),
        ("devices", STORE, ""),
        ("entries", STORE, ""),
        ("campaigns", STORE, ""),
    ],
    "Searches": [
        ("searches", STORE, ""),
        ("searches_without_clicks", STORE, ""),
    ],
    "Products and orders": [
        ("products", STORE, ""),
        ("cart_abandonment", {}, ""),
        ("time_to_purchase", {}, ""),
        ("orders", {}, ""),
        ("repeat_buyers", {}, ""),
        ("bought_together", STORE, ""),
        ("refunds", {}, ""),
    ],
    "Tokens and attribution": [
        ("kpis", STORE | WEEK, "Which tokens are clicked most?"),
        ("kpis", STORE | WEEK | {"grain": "position"}, "How often is each position clicked?"),
        ("tokens", STORE, ""),
        ("attribution", STORE, ""),
        ("models", STORE, ""),
        ("compare_tokens", STORE | TOKENS, ""),
    ],
    "Data": [
        ("freshness", {}, ""),
        ("quality", {}, ""),
        ("late_events", STORE | WEEK, ""),
        ("bots", STORE | WEEK, ""),
        ("fields", {}, ""),
    ],
}
HEAD = f"""\
# Cookbook

Each question of `sql/queries`, and its answer on sample traffic. `pipeline query` lists them;
`--explain` prints the SQL with your values, for you to change, and for any client
([connecting](clients.md)). A parameter that is left out restricts nothing: all stores, all days.
Numbers are of people; a `day` is the store's.
The [glossary](glossary.md) explains the columns, and [which number](which-number.md) says which of
two to use.

`tests/warehouse/test_questions.py` compares every answer with that of plain Python from the events
alone. `make docs` writes this page. The titles are of the demo's
[catalog](catalog.md). The traffic is yours with:

```sh
pipeline traffic --devices {DEVICES} --days {DAYS} --end {END:%Y-%m-%d} > traffic.ndjson
PIPELINE_COUNTRY_HEADER={EDGE_HEADERS["country_header"]} \\
  pipeline local traffic.ndjson --timezone {ZONE} --database cookbook.duckdb
pipeline query funnel --database cookbook.duckdb
```
"""


def make_history(folder: Path) -> Path:
    """A database of sample traffic, the same each time."""
    traffic, database = folder / "traffic.ndjson", folder / "cookbook.duckdb"
    with traffic.open("wb") as file:
        file.writelines(traffic_lines(1, devices=DEVICES, end=END, span=timedelta(days=DAYS)))
    replay(
        [str(traffic)],
        database=database,
        rules=Rules(),
        timezone=ZONE,
        intake=Intake(EdgeHeaders(country=EDGE_HEADERS["country_header"])),
        clock=END.timestamp,
    )
    with duckdb.connect(database) as connection:
        connection.execute("UPDATE publication SET published_at = ?", [END.replace(tzinfo=None)])
        for store in STORES:
            write_store(database, store, sample_catalog(store), at=END)
        CatalogTaker(connection, database).step()
    return database


def page(connection: duckdb.DuckDBPyConnection) -> str:
    """The text of docs/cookbook.md, with the answers of that database."""
    parts = [HEAD]
    for subject, asked in SUBJECTS.items():
        parts.append(f"## {subject}\n")
        for name, values, title in asked:
            parts.append(_entry(name, values, ask(connection, name, values), title))
    return "\n".join(parts)


def _entry(name: str, values: dict[str, str], answer: QueryResult, title: str) -> str:
    text = dict(files("queries"))[name]
    title = title or _with_names(purpose(text).partition(" Optional: ")[0])
    lines = takewhile(lambda line: line.startswith("--"), text.splitlines()[1:])
    said = [_with_names(line.removeprefix("-- ")) for line in lines]
    given = "".join(f" -p {each}={value}" for each, value in values.items())
    more = len(answer.rows) - SHOWN
    shown = as_markdown(QueryResult(answer.columns, answer.rows[:SHOWN]))
    return "\n".join(
        [
            f"### {title}\n",
            *([*said, ""] if said else []),
            f"```sh\npipeline query {name}{given}\n```\n",
            shown + (f"\nAnd {more} more rows.\n" if more > 0 else ""),
        ]
    )


def _with_names(text: str) -> str:
    return re.sub(r"\$(\w+)", r"`\1`", text)


def main() -> None:
    """Write the page if it is not as it has to be."""
    with (
        tempfile.TemporaryDirectory() as folder,
        connect_published(make_history(Path(folder))) as connection,
    ):
        text = page(connection)
    if not PAGE.exists() or PAGE.read_text() != text:
        PAGE.write_text(text)
        print(PAGE.name)


if __name__ == "__main__":
    main()
