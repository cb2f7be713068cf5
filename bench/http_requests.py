"""What the shops of the bench send: the same three events, of many devices."""

from __future__ import annotations

import json

NOW_MS = 1_782_907_200_000
DEVICES = 1000  # so that every partition has its share
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"


def body(device: int) -> bytes:
    """A click, a page and a purchase."""
    common = {
        "session_id": f"{device:032x}",
        "device_id": f"{device << 64:032x}",
        "timestamp": NOW_MS,
    }
    click = {
        **common,
        "event_type": "product_click",
        "timestamp": "2026-07-01T12:00:00.000Z",
        "product_id": 7003338965178,
        "position": 3,
        "attribution_token": "t" * 80,
    }
    page = {**common, "event_type": "collection_view", "collection_handle": "summer-shoes"}
    purchase = {
        **common,
        "event_type": "purchase",
        "currency": "USD",
        "order_id": "1001",
        "items": [{"product_id": "7003338965178", "price": "12.50", "quantity": 2}],
    }
    return json.dumps({"events": [click, page, purchase]}).encode()


def requests_of(token: str) -> list[bytes]:
    """One of each device, as a browser would write it."""
    return [request(token, body(device)) for device in range(1, DEVICES + 1)]


def request(token: str, sent: bytes) -> bytes:
    """A request with the body `sent`, as a browser would write it."""
    head = (
        f"POST /beacon?token={token} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: {AGENT}\r\n"
        f"accept: */*\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n"
    )
    return head.encode() + sent
