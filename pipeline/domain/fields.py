"""Each field of an event: its type and limits, its meaning, and where it stands in the warehouse.

A type here is read by pydantic for the models of the catalog, and by `docs/generate.py` for the
tables of the documents. It says what is asked for; its `Reader` (reading.py) says what is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, StringConstraints, WithJsonSchema
from pydantic.fields import FieldInfo

from pipeline.domain.reading import Reader
from pipeline.domain.timestamps import read_time
from pipeline.domain.values import (
    MAX_ID,
    MAX_PRICE,
    MAX_QUANTITY,
    Note,
    channel_of,
    context_of,
    currency_of,
    price_of,
    text_of,
    whole_of,
)

Unit = Literal["text", "id", "count", "money", "list", "time"]


@dataclass(frozen=True)
class About:
    """What is said of a field beside its type.

    `meaning`, `rules` (of docs/semantics.md) and `unit` are the glossary's; `unit` decides the
    Arrow type of its column too. `column` is that of `events` where it has not the field's name,
    "" where it has none. `widely`: other tables have the column in the same meaning.
    """

    meaning: str
    rules: str = ""
    unit: Unit = "text"
    column: str | None = None
    widely: bool = False


@dataclass(frozen=True)
class Shown:
    """A type in the words of docs/contract.md, with its least and most."""

    kind: str = "text"
    least: str = ""
    most: str = ""


@dataclass(frozen=True)
class Text:
    """What `Reader` has to know of a text beside its length; the flags are its."""

    keeps_empty: bool = False
    is_id: bool = False
    is_zero_absent: bool = False


T = TypeVar("T")


def said(field: FieldInfo, kind: type[T]) -> T | None:
    """What the type of a model's field holds of `kind`, such as `About`; None where it has none."""
    choices = get_args(field.annotation)
    inner = [each for choice in choices for each in getattr(choice, "__metadata__", ())]
    return next((each for each in (*field.metadata, *inner) if isinstance(each, kind)), None)


def reader_of(field: FieldInfo) -> Reader:
    """How a model's field is read; as text where its type does not say."""
    if reader := said(field, Reader):
        return reader
    limits, text = said(field, StringConstraints), said(field, Text) or Text()
    return Reader(
        partial(text_of, most=limits.max_length if limits else None),
        keeps_empty=text.keeps_empty,
        is_id=text.is_id,
        is_zero_absent=text.is_zero_absent,
    )


def _time(value: object) -> tuple[int, Note | None]:
    moment, says_more = read_time(value)
    return moment, "says_more" if says_more else None


_Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)]
_OwnId = Annotated[_Name, Text(is_id=True)]
_OrderId = Annotated[_Name, Text(is_id=True, is_zero_absent=True)]
_Marketing = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)]
_Id = Annotated[
    int | str,
    Reader(partial(whole_of, most=MAX_ID, are_digits_plain=True)),
    Shown("integer, or the same in digits", "1", "2^63-1"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_ID},
                {"type": "string", "pattern": "^[0-9]{1,19}$"},
            ]
        }
    ),
]

Timestamp = Annotated[
    int | str,
    Reader(_time),
    Shown(
        "ISO 8601 with a date and, without an offset, in UTC; or a number since the epoch (T9)",
        "year 1",
        "year 9999",
    ),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]|$)"},
                {"type": "number", "exclusiveMinimum": 0},
            ]
        }
    ),
    About("When it happened: the event's own time.", "T1, T3", "time", "occurred_at", widely=True),
]
SessionId = Annotated[
    str,
    Reader(partial(text_of, most=256), is_id=True),
    # What stands in for it is longer by two.
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256}),
    About(
        "The client's own session id. One id on two devices, or on both sides of a gap, is two"
        " sessions.",
        "I2, S2",
        widely=True,
    ),
]
DeviceId = Annotated[_OwnId, About("The client's own id of the device.", "I1")]
EventId = Annotated[_OwnId, About("The client's own id of the event.", "D1")]
CustomerId = Annotated[
    str,
    StringConstraints(strict=True, min_length=1),
    Text(is_id=True, is_zero_absent=True),
    About("The store's id of the customer; no rule reads it."),
]
AttributionToken = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=512),
    Text(is_id=True),
    About("The token that it carries, NULL where it carries none.", "A1", widely=True),
]
ProductId = Annotated[_Id, About("The product.", unit="id", widely=True)]
VariantId = Annotated[
    _Id, About("The variant of the product, where one is named.", unit="id", widely=True)
]
CollectionHandle = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=255),
    About("The collection that was on view."),
]
Query = Annotated[
    str,
    StringConstraints(strict=True, max_length=1024),
    Text(keeps_empty=True),
    About("What was searched for; empty where the box was emptied."),
]
Position = Annotated[
    int,
    Field(strict=True, ge=1, le=MAX_ID),
    Reader(partial(whole_of, most=MAX_ID)),
    Shown("integer", "1", "2^63-1"),
    About("Place of the product in its list, from 1.", unit="id"),
]
BlockId = Annotated[
    _Name, About("The block, such as a carousel of recommendations, that was on view.")
]
SearchId = Annotated[_Name, About("The store's id of the search.")]
OrderId = Annotated[_OrderId, About("The store's id of the order.", "A9", widely=True)]
RefundId = Annotated[_OrderId, About("The store's id of the refund.", "A8", widely=True)]
ShoppingChannel = Annotated[
    Literal["web", "app"],
    Reader(channel_of),
    Shown("`web` or `app`"),
    About("`web` or `app`, as the event or its request says.", "S6", widely=True),
]
MarketingSource = Annotated[
    _Marketing,
    About(
        "Campaign source that the event named. In sessions and their sums, of the first event.",
        "S6",
        widely=True,
    ),
]
MarketingMedium = Annotated[_Marketing, About("Campaign medium, likewise.", "S6", widely=True)]
MarketingCampaign = Annotated[_Marketing, About("Campaign name, likewise.", "S6", widely=True)]
UserAgent = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=512),
    About(
        "The visitor's own, where a server sends for them; read on arrival, not kept.",
        "P1",
        column="",
    ),
]
ContextualData = Annotated[
    dict[str, Any],
    Reader(context_of),
    Shown("object of at most 8 levels and 8 KiB, its numbers finite"),
    WithJsonSchema({"type": "object"}),
    About("What the store adds; it stays in `extra`.", column=""),
]
Currency = Annotated[
    str,
    StringConstraints(strict=True, pattern="^[A-Z]{3}$"),
    Reader(currency_of),
    Shown("three capital letters; required with any price"),
    About("ISO 4217 code of the money beside it, NULL where there is none.", "A10", widely=True),
]
Quantity = Annotated[
    int,
    Field(strict=True, ge=1, le=MAX_QUANTITY),
    Reader(partial(whole_of, most=MAX_QUANTITY)),
    Shown("integer, 1 where absent", "1", "10^6"),
    About("Units of the event's own product; 1 where it names no number.", "A2", "count"),
]
Price = Annotated[
    float | str,
    Reader(price_of),
    Shown(
        "per unit: number or text; more than 4 decimals are rounded; times quantity below 10^14",
        "0",
        "10^10",
    ),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": MAX_PRICE},
                {"type": "string", "pattern": "^[0-9]{1,11}(\\.[0-9]{1,4})?$"},
            ]
        }
    ),
    About("Price of one unit of the event's own product.", "A10", "money"),
]
ITEMS = About(
    "Lines of a purchase or refund as sent: product, variant, quantity, price, token. NULL where"
    " the event's own product is the one line.",
    "A2",
    "list",
)
ITEMS_SHOWN = Shown(
    "list of lines: `product_id`, and `variant_id`, `quantity`, `price`, `attribution_token`",
    "1",
    "250",
)
