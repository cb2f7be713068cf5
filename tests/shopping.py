"""A history in which numbers differ that could be taken for one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from factories import SENDERS, Log, cart, click, make_event, purchase
from strategies import MOST_PARTITIONS, gathered, transactions_of
from warehouse_fixture import Warehouse

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.topics import Rejected

STORIES = 40
TOKEN = {"attribution_token": "token-0"}


def shopping(path: Path) -> Warehouse:
    """Random shopping with refunds, bots, late events, reports, several tokens and currencies."""
    made = Warehouse(path)
    made.load(
        outcome
        for number, story in enumerate(gathered(STORIES, number=-7))
        for batch in transactions_of(story, made.rules, number=number)
        for outcome in batch
    )
    made.load(visits(made.rules))
    made.load_rejected(
        Rejected(store_id="story-1", received_at=0, index=0, reason="x", detail="", raw="{}")
        for _ in range(3)
    )
    made.connection.execute("INSERT INTO daily_expired VALUES ('story-1', '2025-11-24', 5)")
    made.connection.execute(
        "INSERT INTO catalog (store_id, kind, id, title) VALUES"
        " ('story-1', 'product', '1', 'One'), ('story-1', 'variant', '1', 'A variant of another'),"
        " ('another', 'product', '1', 'Not of this store')"
    )
    return made


def refunded(minute: float, *lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**purchase(minute, *lines, refund_id="R", **fields), "event_type": "refund"}


def visits(rules: Rules) -> list[Outcome]:
    """Of people and bots: several tokens, an order around midnight, a line without a price."""
    log = Log(rules, STORIES * MOST_PARTITIONS)
    for number, sender in enumerate(SENDERS):
        device: dict[str, Any] = {"device": f"d:{sender}", "store": "story-1", "sender": sender}
        night = 8 * 60  # minutes from the morning to the end of its day
        log.send(
            make_event("search", night - 10, query="hat", product_id=None),
            make_event("block_view", night - 9, product_id=None, block_id="top", **TOKEN),
            make_event("product_impression", night - 8, position=1, **TOKEN),
            make_event("product_view", night - 7),
            *(click(night - 6 + place, f"token-{place}") for place in range(3)),
            cart(night - 2, "token-1"),
            cart(night - 2),
            purchase(night - 1, {"product_id": 1, "price": "7"}, order_id=f"M-{number}"),
            purchase(night + 1, {"product_id": 2, "price": "5"}, order_id=f"M-{number}"),
            purchase(night + 2, {"product_id": 3}, currency=None),
            refunded(night + 20, {"product_id": 1, "price": "3"}, order_id=f"M-{number}"),
            **device,
        )
    return log.outcomes
