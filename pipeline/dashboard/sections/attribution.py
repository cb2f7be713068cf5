"""Which purchases and carts clicks earned, by match and by model."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dashboard.figures import token
from pipeline.dashboard.markup import Content, tag
from pipeline.dashboard.sections.section import Found, Section, show_tables
from pipeline.dashboard.selection import MODELS, Row, Selection
from pipeline.dashboard.tables import Column, Table

_MATCHES = {
    "direct": ("Direct", "carries the token of a click"),
    "carried": ("Carried", "no token, but a click on the same product"),
    "orphan": ("Orphan", "carries a token that was never clicked"),
    "none": ("None", "no click before it"),
}
_REVENUE = Column("attributed_revenue", "Attributed revenue", "money")
_TITLES = {"purchase": "Order lines", "add_to_cart": "Added to cart"}
# A7, one sentence each.
_SENTENCES = {
    "last": ("Last touch", "The last click before the purchase has all of it."),
    "first": ("First touch", "The first click within the lookback has all of it."),
    "linear": ("Linear", "Every click on the way has the same share."),
    "position": (
        "Position",
        "The first and the last click have 40 % each, those between share the rest.",
    ),
    "time_decay": ("Time decay", "A click counts less the longer before the purchase it was."),
}


def _match(row: Row) -> Content:
    name, meaning = _MATCHES.get(row["match"], (row["match"], ""))
    return [name, tag("small", f" {meaning}")]


def _token(row: Row) -> Content:
    return token(row["attribution_token"])


def _by_match(found: Found, _selection: Selection) -> Sequence[Table]:
    return [
        Table(
            name,
            title,
            (
                Column("match", title, "text", _match),
                Column("conversions", "Conversions"),
                Column("share", "Share", "rate"),
                *([_REVENUE] if name == "purchase" else []),
            ),
            [row for row in found["attribution"] if row["conversion_type"] == name],
            f"{title}: none on these days.",
        )
        for name, title in _TITLES.items()
    ]


def _model(found: Found, selection: Selection) -> Content:
    links = [
        tag(
            "a",
            title,
            href=selection.url(model=name),
            aria_current="true" if name == selection.model else None,
            id=f"model-{name}",
            data_keep="1",
        )
        for name, (title, _) in _SENTENCES.items()
    ]
    chosen = tag("p", _SENTENCES[selection.model][1], class_="note")
    choice = tag("nav", *links, aria_label="Model", class_="tabs")
    return [choice, chosen, *(table.shown(selection) for table in _by_token(found, selection))]


def _by_token(found: Found, _selection: Selection) -> Sequence[Table]:
    columns = (
        Column("attribution_token", "Attribution token", "text", _token),
        Column("conversions", "Attributed order lines", "decimal"),
        _REVENUE,
        Column("attributed_net_revenue", "Less refunds", "money"),
    )
    return (Table("models", "Revenue by token", columns, found["models"]),)


assert set(_SENTENCES) == set(MODELS)  # noqa: S101  # one sentence for each
ATTRIBUTION = Section(
    "attribution",
    "Attribution by match",
    ("attribution",),
    show_tables(_by_match),
    _by_match,
    tuple(_TITLES),
    note="How a purchase or cart found the click that it is attributed to.",
    is_filtered=False,
)
MODEL = Section(
    "models",
    "Attributed revenue",
    ("models",),
    _model,
    _by_token,
    ("models",),
    note="The same revenue, divided between the lists whose products were clicked before. A dash"
    " has what no click earned.",
    is_slow=True,
    is_filtered=False,
)
