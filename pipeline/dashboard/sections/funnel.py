"""How far sessions got."""

from __future__ import annotations

from pipeline.dashboard.figures import bar, rate, whole
from pipeline.dashboard.markup import Content, tag
from pipeline.dashboard.sections.section import Found, Section
from pipeline.dashboard.selection import Row, Selection


def _show(found: Found, _selection: Selection) -> Content:
    steps = found["funnel"]
    start = steps[0]["sessions"]
    if not start:
        return tag("p", "No sessions on these days.", class_="empty")
    rows = [
        tag(
            "tr",
            tag("th", step["step"], scope="row"),
            tag("td", whole(step["sessions"])),
            tag("td", rate(step["sessions"] / start)),
            tag("td", _of_step(steps[place - 1], step) if place else None),
            tag("td", bar(step["sessions"] / start)),
        )
        for place, step in enumerate(steps)
    ]
    heads = ("Step", "Sessions", "Of all", "Of the step before", "")
    head = tag("tr", *(tag("th", name, scope="col") if name else tag("td") for name in heads))
    caption = tag("caption", "Sessions by step", class_="unseen")
    return tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="steps")


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
