"""What was searched for, and what followed."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dashboard.markup import Content, tag
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
    Column("search_revenue", "Search revenue", "money"),
)


def _tables(found: Found, _selection: Selection) -> Sequence[Table]:
    return (
        Table("searches", "Searches", _COLUMNS, found["searches"], "No searches on these days."),
    )


# What a merchandiser looks for, each an order of the one table.
_VIEWS = {
    "-searches": "Most frequent",
    "-searches_without_click": "Without a click",
    "-searches_bought": "Bought most",
    "-search_revenue": "Most revenue",
}


def _show(found: Found, selection: Selection) -> Content:
    if not found["searches"]:
        return show_tables(_tables)(found, selection)
    sort = selection.wanted.get("searches.sort") or "-searches"
    links = [
        tag(
            "a",
            title,
            href=selection.url(**{"searches.sort": key, "searches.page": None}),
            aria_current="true" if key == sort else None,
            id=f"searches{key}",
        )
        for key, title in _VIEWS.items()
    ]
    tabs = tag("nav", *links, aria_label="Searches in order", class_="tabs")
    return [tabs, show_tables(_tables)(found, selection)]


SEARCHES = Section(
    "searches",
    "Searches",
    ("searches",),
    _show,
    _tables,
    ("searches",),
    note="What follows a search in its session is of that search, up to the next one. How many"
    " results a search had is not known: stores do not send it.",
    is_slow=True,
)
