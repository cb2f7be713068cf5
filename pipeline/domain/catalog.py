"""The events: each type a pydantic model that says its meaning, rank, count and required fields.

Everything else that knows the types follows from here, or is held to it: required fields, ranks
and session counts in Python and SQL, the digest of the rules, the Arrow schema, the tables of the
documents (`make docs`). A store's own code may import the models:

    ProductClick(timestamp="2026-07-01T12:00:00Z", session_id="s", product_id=1, position=3)

The order of the types is that of the counts in a session row: append, never reorder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.domain import fields as f
from pipeline.domain.fields import About, Shown, reader_of, said
from pipeline.domain.reading import Reader, Reading, Shape, read, read_items
from pipeline.domain.refusal import Refusal
from pipeline.domain.values import BadValueError


class Given(BaseModel):
    """What a store sends. A name without a meaning is no error."""

    # The core of a model costs milliseconds: it is made for the first event that is read.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class GivenLine(Given):
    """A line of a purchase or refund. Raises where it would refuse the event."""

    product_id: f.ProductId
    variant_id: f.VariantId | None = None
    quantity: f.Quantity | None = None
    price: f.Price | None = None
    attribution_token: f.AttributionToken | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        lines = read_items([dict(given)], SHAPE.line_readers)
        _raise(lines.refusals)
        return lines.values[0]


Items = Annotated[list[GivenLine], Field(min_length=1, max_length=250), f.ITEMS_SHOWN, f.ITEMS]


class GivenEvent(Given):
    """An event as a store sends it, read as ingest reads it: raises where that refuses it.

    Once made, ids are integers, times epoch ms, prices exact text; what ingest drops is not there.

    `rank` is that of T5; `count` the column of `sessions` that counts the type, `counted` what the
    glossary adds to it; of each group in `one_of` one field is enough.
    """

    rank: ClassVar[int]
    count: ClassVar[str]
    counted: ClassVar[str]
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = ()

    event_type: Annotated[
        str, Shown("one of the types below"), About("One of the types of docs/contract.md.", "T5")
    ]
    timestamp: f.Timestamp
    session_id: f.SessionId
    device_id: f.DeviceId | None = None
    event_id: f.EventId | None = None
    customer_id: f.CustomerId | None = None
    attribution_token: f.AttributionToken | None = None
    product_id: f.ProductId | None = None
    variant_id: f.VariantId | None = None
    collection_handle: f.CollectionHandle | None = None
    query: f.Query | None = None
    position: f.Position | None = None
    block_id: f.BlockId | None = None
    search_id: f.SearchId | None = None
    order_id: f.OrderId | None = None
    refund_id: f.RefundId | None = None
    shopping_channel: f.ShoppingChannel | None = None
    marketing_source: f.MarketingSource | None = None
    marketing_medium: f.MarketingMedium | None = None
    marketing_campaign: f.MarketingCampaign | None = None
    user_agent: f.UserAgent | None = None
    contextual_data: f.ContextualData | None = None
    currency: f.Currency | None = None
    items: Items | None = None
    quantity: f.Quantity | None = None
    price: f.Price | None = None

    def __init_subclass__(
        cls, *, rank: int, count: str, counted: str = "", one_of: tuple[str, ...] = ()
    ) -> None:
        super().__init_subclass__()
        cls.rank, cls.count, cls.counted = rank, count, counted
        cls.one_of = (one_of,) if one_of else ()

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        items = given.get("items")
        if isinstance(items, list):
            items = [
                line.model_dump(exclude_none=True) if isinstance(line, GivenLine) else line
                for line in items
            ]
        kind = cls.model_fields["event_type"].default
        reading = read_event({"event_type": kind, **given, "items": items})
        _raise(reading.refusals)
        return reading.values


def _raise(refusals: list[Refusal]) -> None:
    if refusals:
        raise PydanticCustomError("refused", "{why}", {"why": "; ".join(map(str, refusals))})


class Search(GivenEvent, rank=0, count="searches"):
    """A search was sent off."""

    event_type: Literal["search"] = "search"
    query: f.Query


class Autocomplete(GivenEvent, rank=0, count="autocompletes"):
    """Suggestions were shown for what has been typed so far."""

    event_type: Literal["autocomplete"] = "autocomplete"
    query: f.Query


class CollectionView(GivenEvent, rank=0, count="collection_views"):
    """A collection's page was shown."""

    event_type: Literal["collection_view"] = "collection_view"
    collection_handle: f.CollectionHandle


class BlockView(GivenEvent, rank=1, count="block_views", one_of=("attribution_token", "block_id")):
    """A block, such as a carousel of recommendations, was shown."""

    event_type: Literal["block_view"] = "block_view"


class ProductImpression(GivenEvent, rank=1, count="product_impressions"):
    """A product was shown in a list."""

    event_type: Literal["product_impression"] = "product_impression"
    product_id: f.ProductId
    position: f.Position


class ProductHover(GivenEvent, rank=2, count="product_hovers"):
    """A pointer rested on a product in a list."""

    event_type: Literal["product_hover"] = "product_hover"
    product_id: f.ProductId
    position: f.Position


class ProductTouch(
    GivenEvent,
    rank=2,
    count="product_touches",
    counted="a finger on a product; not the touches of attribution",
):
    """A finger touched a product in a list."""

    event_type: Literal["product_touch"] = "product_touch"
    product_id: f.ProductId
    position: f.Position


class ProductClick(GivenEvent, rank=3, count="product_clicks"):
    """A product in a list was clicked; with a token it is a touch of attribution (A1)."""

    event_type: Literal["product_click"] = "product_click"
    product_id: f.ProductId
    position: f.Position


class ProductView(GivenEvent, rank=4, count="product_views"):
    """A product's page was shown."""

    event_type: Literal["product_view"] = "product_view"
    product_id: f.ProductId


class AddToCart(GivenEvent, rank=5, count="add_to_carts"):
    """A product was put into the cart."""

    event_type: Literal["add_to_cart"] = "add_to_cart"
    product_id: f.ProductId


class Purchase(
    GivenEvent,
    rank=6,
    count="purchases",
    counted="repeats of an order among them",
    one_of=("items", "product_id"),
):
    """An order was placed."""

    event_type: Literal["purchase"] = "purchase"


class Refund(GivenEvent, rank=7, count="refunds", one_of=("items", "product_id")):
    """Lines of an order were given back."""

    event_type: Literal["refund"] = "refund"
    order_id: f.OrderId


# By name, in the order of the counts.
MODELS: dict[str, type[GivenEvent]] = {
    model.model_fields["event_type"].default: model for model in GivenEvent.__subclasses__()
}
EVENT_TYPES = tuple(MODELS)
RANK = {name: model.rank for name, model in MODELS.items()}
COUNTS = {name: model.count for name, model in MODELS.items()}
# By event type; "a|b": one of them is enough.
REQUIRED: dict[str, tuple[str, ...]] = {
    name: (
        *(field for field in model.__annotations__ if field != "event_type"),
        *("|".join(names) for names in model.one_of),
    )
    for name, model in MODELS.items()
}


def _kind(value: object) -> tuple[object, None]:
    if value not in EVENT_TYPES:
        raise BadValueError("unreadable", f"none of {', '.join(EVENT_TYPES)}")
    return value, None


def _readers(model: type[Given]) -> dict[str, Reader]:
    return {name: reader_of(field) for name, field in model.model_fields.items()}


SHAPE = Shape(
    readers={
        **{name: one for name, one in _readers(GivenEvent).items() if name != "items"},
        "event_type": Reader(_kind),
    },
    line_readers=_readers(GivenLine),
    required={
        kind: tuple(tuple(one.split("|")) for one in names) for kind, names in REQUIRED.items()
    },
)


def read_event(given: Mapping[str, Any]) -> Reading:
    """What the JSON object of an event says."""
    return read(given, SHAPE)


ABOUT = {
    name: about
    for name, field in GivenEvent.model_fields.items()
    if (about := said(field, About)) is not None
}
# What `events` keeps of them, by column.
COLUMNS = {
    name if about.column is None else about.column: about
    for name, about in ABOUT.items()
    if about.column != ""
}
