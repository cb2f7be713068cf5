"""Tokens, blocks and collections by the vendor's KPIs."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dashboard.figures import token
from pipeline.dashboard.markup import Content
from pipeline.dashboard.sections.section import Found, Section, show_tables
from pipeline.dashboard.selection import Row, Selection
from pipeline.dashboard.tables import Column, Table, titled

_COLUMNS = (
    Column("blended_impressions", "Impressions"),
    Column("blended_clicks", "Clicks", "decimal"),
    Column("click_through_rate", "Click-through", "rate"),
    Column("blended_add_to_carts", "Added to cart", "decimal"),
    Column("blended_order_lines", "Blended order lines", "decimal"),
    Column("purchase_rate", "Purchase rate", "rate"),
    Column("blended_revenue", "Blended revenue", "money"),
)


def _token(row: Row) -> Content:
    return token(row["name"])


# Of B1, B2.
_EACH = (
    "Each click of a session counts, so that click-through may be above 100 %. Blended: what a"
    " session bought of what it was shown; attributed revenue goes by clicks."
)
_STANDS_FOR = Column("stands_for", "Stands for", "text")


def _section(grain: str, title: str, subject: str, note: str) -> Section:
    def tables(found: Found, _selection: Selection) -> Sequence[Table]:
        rows = [row for row in found["kpis"] if row["grain"] == grain]
        names: tuple[Column, ...]
        if grain == "token":
            names = Column("name", subject, "text", _token), _STANDS_FOR
        elif any(row["is_titled"] for row in rows):
            names = Column("title", subject, "text", titled), Column("name", "Id", "text")
        else:
            names = (Column("name", subject, "text"),)
        columns, empty = (*names, *_COLUMNS), f"No {title.lower()} were shown."
        return (Table(title.lower(), title, columns, rows, empty, key="name"),)

    name = title.lower()
    return Section(name, title, ("kpis",), show_tables(tables), tables, (name,), note, is_slow=True)


BLOCKS = _section(
    "block",
    "Blocks",
    "Block",
    f"Recommendation blocks. An impression is a session that saw the block. {_EACH}",
)
COLLECTIONS = _section(
    "collection", "Collections", "Collection", f"Collection pages, counted as blocks are. {_EACH}"
)
TOKENS = _section(
    "token",
    "Tokens",
    "Attribution token",
    f"One token stands for one list that was shown: a search, a block or a collection. {_EACH}",
)
