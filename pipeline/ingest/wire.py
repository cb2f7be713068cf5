"""The shape of an event on the wire (docs/contract.md), field by field.

The fields stand in alphabetical order, so that a struct's JSON without its absent fields is the
canonical JSON that the fingerprint is taken of (D1). msgspec and not pydantic: decision 0016.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pipeline.domain.catalog import EVENT_TYPES
from pipeline.domain.values import MAX_ID, MAX_QUANTITY, context_of, epoch_ms, id_of, price_of


class FieldError(ValueError):
    """A field of the right type with a value that is none: "field: why"."""


Name = Annotated[str, Meta(min_length=1, max_length=256)]
Token = Annotated[str, Meta(min_length=1, max_length=512)]
Handle = Annotated[str, Meta(min_length=1, max_length=255)]
Query = Annotated[str, Meta(max_length=1024)]
Marketing = Annotated[str, Meta(max_length=256)]
Agent = Annotated[str, Meta(max_length=512)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
Position = Annotated[int, Meta(ge=1, le=MAX_ID)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]


class Item(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A line of a purchase or refund. Once made, ids are integers and the price exact text."""

    attribution_token: Token | None = None
    price: int | float | str | None = None
    product_id: int | str
    quantity: Quantity | None = None
    variant_id: int | str | None = None

    def __post_init__(self) -> None:
        """Check what a type cannot say. Raises `FieldError`."""
        _settle(self)


class WireEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An event as a shop sends it; what its type requires is checked in `validate`.

    Once made, ids are integers, the timestamp epoch ms, the price exact text.
    """

    attribution_token: Token | None = None
    block_id: Name | None = None
    collection_handle: Handle | None = None
    contextual_data: dict[str, Any] | None = None
    currency: Currency | None = None
    customer_id: str | None = None
    device_id: Name | None = None
    event_id: Name | None = None
    event_type: Literal[EVENT_TYPES]  # type: ignore[valid-type]
    items: Annotated[list[Item], Meta(min_length=1, max_length=250)] | None = None
    marketing_campaign: Marketing | None = None
    marketing_medium: Marketing | None = None
    marketing_source: Marketing | None = None
    order_id: Name | None = None
    position: Position | None = None
    price: int | float | str | None = None
    product_id: int | str | None = None
    quantity: Quantity | None = None
    query: Query | None = None
    refund_id: Name | None = None
    search_id: Name | None = None
    session_id: Name
    shopping_channel: Literal["web", "app"] | None = None
    timestamp: int | str
    user_agent: Agent | None = None
    variant_id: int | str | None = None

    def __post_init__(self) -> None:
        """Check what a type cannot say. Raises `FieldError`."""
        try:
            field = "timestamp"
            self.timestamp = epoch_ms(self.timestamp)
            _settle(self)
            field = "contextual_data"
            if self.contextual_data is not None:
                self.contextual_data = context_of(self.contextual_data)
        except FieldError:
            raise
        except ValueError as error:
            raise FieldError(f"{field}: {error}") from None


def _settle(named: Item | WireEvent) -> None:
    """Ids and the price of what names a product, in their one form. Raises `FieldError`."""
    try:
        field = "product_id"
        if named.product_id is not None:
            named.product_id = id_of(named.product_id)
        field = "variant_id"
        if named.variant_id is not None:
            named.variant_id = id_of(named.variant_id)
        field = "price"
        if named.price is not None:
            named.price = price_of(named.price)
    except ValueError as error:
        raise FieldError(f"{field}: {error}") from None
