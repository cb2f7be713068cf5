"""What a section of the page is: which rows it reads, and how it shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.dashboard.markup import Content
from pipeline.dashboard.selection import Row, Selection
from pipeline.dashboard.tables import Table

# By the name of their query in `sql/dashboard`.
Found = Mapping[str, Sequence[Row]]
Tables = Callable[[Found, Selection], Sequence[Table]]


def _no_tables(_found: Found, _selection: Selection) -> Sequence[Table]:
    return ()


@dataclass(frozen=True)
class Section:
    """`name` is its anchor and address, `names` those of its tables.

    `note` says in a sentence or two what its figures mean.

    One that `is_slow` is fetched by the page after the others. One without `is_filtered` has
    figures of the store and its days alone, and says so while a filter is chosen.
    """

    name: str
    title: str
    queries: tuple[str, ...]
    show: Callable[[Found, Selection], Content]
    tables: Tables = _no_tables
    names: tuple[str, ...] = ()
    note: str | None = None
    is_slow: bool = False
    is_filtered: bool = True
    is_wide: bool = True
    is_for: Callable[[Selection], bool] = lambda _selection: True


def show_tables(tables: Tables) -> Callable[[Found, Selection], Content]:
    """Shows the tables one after the other."""
    return lambda found, selection: [table.shown(selection) for table in tables(found, selection)]
