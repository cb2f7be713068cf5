"""How far sessions got."""

from __future__ import annotations

from pipeline.dashboard.figures import bar, rate, whole
from pipeline.dashboard.markup import Content, Markup, tag
from pipeline.dashboard.sections.section import Found, Section
from pipeline.dashboard.selection import Row, Selection


def _show(found: Found, _selection: Selection) -> Content:
    steps = found["funnel"]
    start = steps[0]["sessions"]
    if not start:
        return tag("p", "No sessions on these days.", class_="empty")
    # Roles, because as cards on a phone these are no table for a screen reader.
    rows = [
        tag(
            "tr",
            tag("th", step["step"], scope="row", role="rowheader"),
            _cell("Sessions", whole(step["sessions"])),
            _cell("Of all", rate(step["sessions"] / start)),
            _cell("Of the step before", _of_step(steps[place - 1], step) if place else None),
            _cell("", bar(step["sessions"] / start)),
            role="row",
        )
        for place, step in enumerate(steps)
    ]
    names = ("Step", "Sessions", "Of all", "Of the step before")
    heads = [tag("th", name, scope="col", role="columnheader") for name in names]
    table = tag(
        "table",
        tag("caption", "Sessions by step", class_="unseen"),
        tag("thead", tag("tr", *heads, tag("td", role="cell"), role="row"), role="rowgroup"),
        tag("tbody", *rows, role="rowgroup"),
        role="table",
        class_="steps",
    )
    return tag("div", table, class_="table")


def _cell(title: str, shown: Content) -> Markup:
    label = tag("span", title, class_="label", aria_hidden="true")
    return tag("td", None if shown is None else label, shown, role="cell")


def _of_step(before: Row, step: Row) -> str:
    return rate(step["sessions"] / before["sessions"] if before["sessions"] else None)


FUNNEL = Section(
    "funnel",
    "Funnel",
    ("funnel",),
    _show,
    note="Each step counts the sessions in which it happened, whatever came before. A step can be"
    " wider than the one before: a link may open a product, a list may put one in the cart.",
)
