"""What was searched for, and what followed."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dashboard.sections.section import Found, Section, show_tables
from pipeline.dashboard.selection import Selection
from pipeline.dashboard.tables import Column, Table

_COLUMNS = (
    Column("search_term", "Search", "text"),
    Column("searches", "Searches"),
    Column("searches_without_click", "Without a click"),
    Column("share_clicked", "Clicked", "rate"),
    Column("mean_click_position", "Clicked position", "decimal"),
    Column("searches_carted", "Added to cart"),
    Column("searches_bought", "Bought"),
    Column("share_bought", "Bought, share", "rate"),
    Column("search_revenue", "Revenue", "money"),
)


def _tables(found: Found, _selection: Selection) -> Sequence[Table]:
    return (
        Table("searches", "Searches", _COLUMNS, found["searches"], "No searches on these days."),
    )


SEARCHES = Section(
    "searches",
    "Searches",
    ("searches",),
    show_tables(_tables),
    _tables,
    ("searches",),
    note="What follows a search in its session is of that search, up to the next one. Sort by"
    " “Without a click” for searches that lead nowhere, by “Bought” for those that sell. How many"
    " results a search had is not known: stores do not send it.",
    is_slow=True,
)
