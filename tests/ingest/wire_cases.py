"""The contract's cases in one place: a minimal valid event of each type, and limits.

Tables here are written by hand from docs/contract.md; tests hold them against the code.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

NOW_MS = 1_782_907_200_000  # 2026-07-01T12:00:00Z
COMMON: dict[str, Any] = {"timestamp": NOW_MS, "session_id": "s"}
VALUES: dict[str, Any] = {
    "product_id": 7003338965178,
    "position": 1,
    "collection_handle": "c",
    "query": "",
    "attribution_token": "t",
    "block_id": "b",
    "order_id": "o",
    "items": [{"product_id": 1}],
}
# Of each inner tuple one field is enough.
REQUIRED: dict[str, list[tuple[str, ...]]] = {
    "product_view": [("product_id",)],
    "add_to_cart": [("product_id",)],
    "product_click": [("product_id",), ("position",)],
    "product_impression": [("product_id",), ("position",)],
    "product_hover": [("product_id",), ("position",)],
    "product_touch": [("product_id",), ("position",)],
    "collection_view": [("collection_handle",)],
    "search": [("query",)],
    "autocomplete": [("query",)],
    "block_view": [("attribution_token", "block_id")],
    "purchase": [("items", "product_id")],
    "refund": [("order_id",), ("items", "product_id")],
}
# Strings: the fewest and the most characters.
LENGTHS = {
    "session_id": (1, 256),
    "device_id": (1, 256),
    "event_id": (1, 256),
    "block_id": (1, 256),
    "search_id": (1, 256),
    "order_id": (1, 256),
    "refund_id": (1, 256),
    "attribution_token": (1, 512),
    "collection_handle": (1, 255),
    "query": (0, 1024),
    "marketing_source": (1, 256),
    "marketing_medium": (1, 256),
    "marketing_campaign": (1, 256),
    "user_agent": (1, 512),
}


def minimal(event_type: str, **fields: Any) -> dict[str, Any]:
    """A valid event with nothing that its type does not require; then `fields`."""
    # Copies: a test may change what it is given.
    needed = {choice[0]: deepcopy(VALUES[choice[0]]) for choice in REQUIRED[event_type]}
    return {"event_type": event_type, **COMMON, **needed, **fields}


def full() -> dict[str, Any]:
    """A purchase in which every field of the contract stands, at its longest."""
    longest = {name: "é" * most for name, (_, most) in LENGTHS.items()}
    line = {
        "product_id": 2**63 - 1,
        "variant_id": str(2**63 - 1),
        "quantity": 10**6,
        "price": "99999.9999",
        "attribution_token": "t" * 512,
    }
    return {
        **minimal("purchase"),
        **longest,
        "items": [line],
        "currency": "USD",
        "customer_id": "c",
        "position": 2**63 - 1,
        "product_id": 1,
        "variant_id": 1,
        "quantity": 1,
        "price": 0.0001,
        "shopping_channel": "web",
        "contextual_data": {"a": [1.5, None, True, {"b": "c"}]},
    }
