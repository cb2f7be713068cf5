"""What follows a cart: the order, the store's webhook for it, and refunds."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from pipeline.traffic import shares
from pipeline.traffic.devices import HOUR_MS, CartLine, SentEvent, Shopper, identifier, zulu
from pipeline.traffic.stores import DECIMALS
from pipeline.traffic.visits import Visit

DAY_MS = 24 * HOUR_MS
_SERVER_HEADERS = {"user-agent": "shop-backend/4.2"}


@dataclass(frozen=True)
class RecordedRequest:
    """A request that arrives at `received_at`."""

    received_at: int
    store: str
    headers: dict[str, str]
    events: list[SentEvent]

    def line(self) -> dict[str, Any]:
        """Its line in an event file."""
        return {
            "store": self.store,
            "received_at": self.received_at,
            "headers": self.headers,
            "events": self.events,
        }


def check_out(visit: Visit) -> list[RecordedRequest]:
    """Buy what is in the cart: events of the visit, and requests of the store's server."""
    rng, device = visit.rng, visit.device
    lines, device.cart = device.cart, []
    visit.wait(30_000, 240_000)
    order_id = None if visit.chance(shares.WITHOUT_ORDER_ID) else device.store.next_order()
    before = len(visit.events)
    items = [_item(rng, device, line) for line in lines]
    _purchase(visit, order_id, lines, items)
    if order_id is None:
        return []
    requests: list[RecordedRequest] = []
    bare = [{key: item[key] for key in item if key != "attribution_token"} for item in items]
    order = {"order_id": order_id, "currency": device.currency}
    if visit.chance(shares.WEBHOOKS):
        at = visit.now + rng.randint(-1_500, 90_000)
        requests.append(_webhook(rng, device, at, "purchase", order | {"items": bare}))
    if visit.chance(shares.REFUNDS):
        requests += _refunds(visit, order, bare, before)
    return requests


def _purchase(
    visit: Visit, order_id: str | None, lines: list[CartLine], items: list[SentEvent]
) -> None:
    device = visit.device
    order: SentEvent = {"currency": device.currency}
    if order_id is not None:
        order["order_id"] = order_id
    style = visit.rng.random()
    if style < shares.ORDER_LINE_TOKENS:
        for line, item in zip(lines, items, strict=True):
            if line.token is not None:
                item["attribution_token"] = line.token
    elif style < shares.ORDER_LINE_TOKENS + shares.ORDER_EVENT_TOKEN and lines[0].token is not None:
        order["attribution_token"] = lines[0].token
    if visit.chance(shares.LINE_BY_LINE):
        for item in items:
            visit.send("purchase", order | item)
    else:
        visit.send("purchase", order | {"items": items})


def _refunds(
    visit: Visit, order: SentEvent, items: list[SentEvent], before: int
) -> list[RecordedRequest]:
    rng, device = visit.rng, visit.device
    bought = visit.now

    def refund(
        what: list[SentEvent], *, after: int, order_id: str | None = None
    ) -> RecordedRequest:
        named = order | {"refund_id": f"r-{identifier(rng)[:10]}", "items": what}
        if order_id is not None:
            named["order_id"] = order_id
        return _webhook(rng, device, bought + after, "refund", named)

    unit = [items[0] | {"quantity": 1}]
    later = rng.randint(2 * HOUR_MS, 2 * DAY_MS)
    kind = rng.random()
    if kind < shares.REFUND_OF_ALL:
        return [refund(items, after=later)]
    kind -= shares.REFUND_OF_ALL
    if kind < shares.REFUND_IN_PARTS:
        rest = [items[0] | {"quantity": items[0]["quantity"] - 1}, *items[1:]]
        left = [item for item in rest if item["quantity"]]
        parts = [refund(unit, after=later)]
        return [*parts, refund(left, after=later + DAY_MS)] if left else parts
    kind -= shares.REFUND_IN_PARTS
    if kind < shares.REFUND_FIRST:
        # The phone has no network, so its events arrive after the server's refund.
        waiting = [event for _, event in visit.events[before:]]
        del visit.events[before:]
        late = RecordedRequest(bought + 5 * HOUR_MS, device.store.store_id, device.headers, waiting)
        return [refund(items, after=HOUR_MS), late]
    kind -= shares.REFUND_FIRST
    if kind < shares.REFUND_OF_UNKNOWN:
        return [refund(unit, after=later, order_id=f"#{rng.randrange(1, 999)}")]
    return [refund([{key: unit[0][key] for key in unit[0] if key != "price"}], after=later)]


def _webhook(
    rng: Random, device: Shopper, at: int, event_type: str, fields: SentEvent
) -> RecordedRequest:
    # A webhook knows no device; the order id serves as the session id.
    event = {
        "event_type": event_type,
        "timestamp": zulu(at),
        "event_id": f"webhook-{identifier(rng)}",
        "session_id": f"order-{fields['order_id']}",
        **fields,
    }
    return RecordedRequest(
        at + rng.randint(100, 3_000), device.store.store_id, _SERVER_HEADERS, [event]
    )


def _item(rng: Random, device: Shopper, line: CartLine) -> SentEvent:
    item: SentEvent = {"product_id": device.id(line.product.product_id), "quantity": line.quantity}
    if line.variant_id is not None:
        item["variant_id"] = device.id(line.variant_id)
    if rng.random() >= shares.WITHOUT_PRICE:
        item["price"] = _money(line.product.price, device.currency, as_text=device.ids_as_text)
    return item


def _money(minor: int, currency: str, *, as_text: bool) -> str | float:
    decimals = DECIMALS[currency]
    amount = minor / 10**decimals
    if as_text:
        return f"{amount:.{decimals}f}"
    return amount if decimals else minor
