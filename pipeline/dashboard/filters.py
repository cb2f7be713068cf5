"""The form of the filters: all of it ends in the URL, and works without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pipeline.dashboard.answers import Answer
from pipeline.dashboard.markup import Content, Markup, tag
from pipeline.dashboard.sections import ALL
from pipeline.dashboard.selection import ALL_STORES, FILTERS, PARAMETERS, Selection, written
from pipeline.dashboard.tables import is_of_a_table

_NAMES = {
    "channel": ("Channel", "All channels"),
    "device": ("Device", "All devices"),
    "country": ("Country", "All countries"),
    "source": ("Source", "All sources"),
    "campaign": ("Campaign", "All campaigns"),
}
_COMPARED = {"before": "Days before", "week": "Week before", "year": "Year before"}
_SPANS = {1: "Newest day", 7: "7 days", 28: "28 days", 90: "90 days"}
_FORM = PARAMETERS - {"chart", "by", "model"}


def form(answer: Answer, selection: Selection) -> Markup:
    """Store, days, comparison and filters, and links to the usual spans."""
    # What the form does not name stays in the URL; pages of tables begin anew.
    hidden = [
        tag("input", type="hidden", name=name, value=value)
        for name, value in selection.wanted.items()
        if name not in _FORM - {"days"} and not name.endswith(".page")
    ]
    choices = [_select(name, answer, selection) for name in FILTERS]
    return tag(
        "form",
        *hidden,
        tag(
            "div",
            _store(answer, selection),
            _day("first", "From", selection),
            _day("last", "To", selection),
            _compare(selection),
            tag("button", "Show", type="submit", id="show"),
            class_="fields",
        ),
        _spans(selection),
        _more(choices, selection),
        method="get",
        action="/",
        id="filters",
        aria_label="Filters",
        data_follows="1" if _follows(selection) else None,
    )


def unknown(selection: Selection) -> list[str]:
    """A sentence on what the address names and the page does not have."""
    tables = {name for section in ALL for name in section.names}
    names = [
        f"“{name}”"
        for name in selection.wanted
        if name not in PARAMETERS and not is_of_a_table(name, tables)
    ]
    return [f"Not understood in the address: {', '.join(names)}."] if names else []


def missing(answer: Answer, selection: Selection) -> list[str]:
    """What each filter that chooses nothing on these days is set to, in a sentence."""
    known = {(row["filter"], row["option"]) for row in answer.options}
    return [
        f"No session of these days is without a {name}."
        if value is None
        else f"No session of these days has the {name} “{value}”."
        for name, value in selection.filters.items()
        if (name, value) not in known
    ]


def _store(answer: Answer, selection: Selection) -> Markup:
    names = [row["store_id"] for row in answer.stores]
    options = [_option(written(name), name, chosen=name == selection.store.name) for name in names]
    if len(names) > 1:
        options.append(_option(ALL_STORES, "All stores", chosen=selection.store.name is None))
    return tag("label", "Store", tag("select", *options, name="store", id="store"))


def _day(name: str, title: str, selection: Selection) -> Markup:
    day = selection.first if name == "first" else selection.last
    field = tag(
        "input",
        type="date",
        name=name,
        id=name,
        value=day.isoformat(),
        min=selection.store.first_day.isoformat(),
        max=selection.store.last_day.isoformat(),
    )
    return tag("label", title, field)


def _compare(selection: Selection) -> Markup:
    options = [
        _option(name, title, chosen=name == selection.compare) for name, title in _COMPARED.items()
    ]
    return tag("label", "Compare with", tag("select", *options, name="compare", id="compare"))


def _spans(selection: Selection) -> Markup:
    """Links that name no day, so that the page follows the traffic."""
    follows = _follows(selection)
    links = [
        tag(
            "a",
            title,
            href=selection.url(first=None, last=None, by=None, days=str(days)),
            aria_current="true" if follows and days == selection.days else None,
            id=f"span-{days}",
        )
        for days, title in _SPANS.items()
    ]
    earlier = _moved(selection, -selection.days, "Earlier")
    later = _moved(selection, selection.days, "Later")
    return tag("nav", earlier, *links, later, aria_label="Days", class_="tabs")


def _follows(selection: Selection) -> bool:
    return not selection.wanted.get("last") and not selection.wanted.get("first")


def _moved(selection: Selection, days: int, title: str) -> Content:
    first = selection.first + timedelta(days=days)
    last = selection.last + timedelta(days=days)
    if last < selection.store.first_day or first > selection.store.last_day:
        return tag("span", title, class_="off")
    url = selection.url(first=str(first), last=str(last), days=None)
    return tag("a", title, href=url, id=f"span-{title.lower()}")


def _select(name: str, answer: Answer, selection: Selection) -> Markup:
    title, everything = _NAMES[name]
    chosen = selection.filters.get(name)
    is_chosen = name in selection.filters
    values: Sequence[str | None] = [
        row["option"] for row in answer.options if row["filter"] == name
    ]
    if is_chosen and chosen not in values:
        values = [chosen, *values]
    options = [
        _option(
            written(value),
            "None" if value is None else value,
            chosen=is_chosen and value == chosen,
        )
        for value in values
    ]
    empty = _option("", everything, chosen=not is_chosen)
    return tag("label", title, tag("select", empty, *options, name=name, id=name))


def _more(choices: Sequence[Markup], selection: Selection) -> Markup:
    """Folded away until one is used: on a phone the figures come first."""
    number = len(selection.filters)
    summary = f"Filters ({number})" if number else "Filters"
    return tag(
        "details",
        tag("summary", summary),
        tag("div", *choices, _bots(selection), _clear(selection), class_="fields"),
        open="open" if number or selection.bots else None,
        id="more",
    )


def _bots(selection: Selection) -> Markup:
    box = tag(
        "input",
        type="checkbox",
        name="bots",
        value="beside",
        id="bots",
        checked="checked" if selection.bots else None,
    )
    return tag("label", box, "Bots beside", class_="check")


def _clear(selection: Selection) -> Content:
    if not selection.filters:
        return None
    none = dict.fromkeys(FILTERS)
    return tag("a", "Clear filters", href=selection.url(**none), id="clear", class_="clear")


def _option(value: str, label: str, *, chosen: bool) -> Markup:
    return tag("option", label, value=value, selected="selected" if chosen else None)
