"""What arrived, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dashboard.figures import foreign
from pipeline.dashboard.markup import Content, tag
from pipeline.dashboard.sections.section import Found, Section, show_tables
from pipeline.dashboard.selection import Row, Selection
from pipeline.dashboard.tables import Column, Table


def _measure(row: Row) -> Content:
    detail = row["detail"]
    return [row["measure"], None if detail is None else tag("small", " ", foreign(detail))]


def _tables(found: Found, _selection: Selection) -> Sequence[Table]:
    arrived = Column("measure", "Measure", "text", _measure), Column("found", "Events")
    fields = (
        Column("field", "Field", "text"),
        Column("outcome", "Outcome", "text"),
        Column("reason", "Reason", "text"),
        Column("field_events", "Events"),
    )
    return (
        Table("quality", "Events that arrived", arrived, found["quality"]),
        Table(
            "fields",
            "Fields that could not be read as sent",
            fields,
            found["quality_fields"],
            "Every field was read as it was sent.",
        ),
    )


QUALITY = Section(
    "quality",
    "Quality",
    ("quality", "quality_fields"),
    show_tables(_tables),
    _tables,
    ("quality", "fields"),
    note="All events, of bots too, on the day of their arrival.",
    is_slow=True,
    is_filtered=False,
)
