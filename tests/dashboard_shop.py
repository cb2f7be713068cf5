"""A dashboard that is served, and snapshots of a small shop for it to show.

The stream stands at 16:30 of Monday, 24 November 2025. On that day and the one before it, the shop
sold at 10:00, and on the day before also in the evening, which an unfinished day cannot have yet.
"""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import uvicorn
from catalogs import give
from factories import DAY, HOUR, MINUTE, Log, cart, click, make_event, purchase
from warehouse_fixture import Warehouse

from pipeline.config import Settings
from pipeline.dashboard import create_app
from pipeline.topics import Rejected
from pipeline.warehouse.catalog.entries import Entry

TODAY, YESTERDAY = "2025-11-24", "2025-11-23"
# In minutes after factories.MORNING, which is 16:00.
_AT_10, _AT_21 = -6 * HOUR // MINUTE, 5 * HOUR // MINUTE
_DAY = DAY // MINUTE


@dataclass
class Answered:
    """An answer of the dashboard."""

    status: int
    text: str
    headers: dict[str, str]


@dataclass
class Served:
    """A running dashboard."""

    url: str

    def ask(
        self, path: str = "/", *, headers: dict[str, str] | None = None, **given: str
    ) -> Answered:
        answer = requests.get(self.url + path, params=given, headers=headers, timeout=30)
        answer.encoding = "utf-8"
        return Answered(answer.status_code, answer.text, dict(answer.headers))

    def get(self, path: str = "/", **given: str) -> str:
        answer = self.ask(path, **given)
        assert answer.status == 200, answer.text[-2000:]
        return answer.text


@contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()


def basic(password: str, user: str = "anyone") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def visit(at: float, *, order: str | None = None, price: str = "100", **fields: Any) -> list[Any]:
    """A visit of some minutes: a search, a list, a click, and an order where one is named."""
    term = fields.pop("query", "linen")
    currency = fields.pop("currency", "USD")
    token = fields.pop("token", "token-of-linen")
    session = {"session_id": f"at {at}", **fields}
    events = [
        make_event("search", at, query=term, attribution_token=token, product_id=None, **session),
        make_event("product_impression", at + 1, position=2, attribution_token=token, **session),
        click(at + 2, token, **session),
    ]
    if order is not None:
        line = {"product_id": 1, "price": price}
        events += [
            cart(at + 3, token, **session),
            purchase(at + 4, line, order_id=order, currency=currency, **session),
        ]
    return events


def history(
    store: str = "atelier", *, term: str = "linen", price: str = "150", partition: int = 0
) -> Log:
    """Three days of a store, of which the day before yesterday has no order."""
    log = Log(partition=partition)
    spring = {"marketing_source": "google", "marketing_campaign": "spring"}

    def send(device: str, events: list[Any], **sent: Any) -> None:
        log.send(*events, store=store, device=device, **sent)

    send("d:a", visit(_AT_10 - 2 * _DAY))
    send("d:b", visit(_AT_10 - _DAY, order="1", price="100"))
    send("d:c", visit(_AT_21 - _DAY, order="2", price="40"))
    send("d:d", visit(_AT_10, order="3", price=price, query=term, **spring))
    send("d:e", visit(_AT_10 + 30, order="4", price="5000", currency="JPY", token="other"))
    send("d:f", visit(_AT_10 + 60, query="wool"))
    send("d:bot", visit(_AT_10 + 90), sender="bot")
    back = make_event(
        "refund",
        -30,
        order_id="1",
        refund_id="r",
        currency="USD",
        product_id=None,
        items=[{"product_id": 1, "price": "25"}],
    )
    send("d:b", [back], sender="server")
    send("d:g", [make_event("product_view", 30)])
    return log


def publish(settings: Settings, *logs: Log, catalog: Mapping[str, Sequence[Entry]] = {}) -> None:
    """A snapshot of these histories, put in place as the loader does it: by a rename.

    `catalog` has the entries of each store.
    """
    fresh = settings.home / "fresh.duckdb"
    fresh.unlink(missing_ok=True)
    warehouse = Warehouse(fresh, settings.rules)
    for log in logs:
        warehouse.load(log.outcomes)
    bad = Rejected(
        store_id="atelier",
        received_at=1_764_000_000_000,
        index=0,
        reason="invalid_value",
        detail="product_id: x",
        raw="{}",
        timezone="UTC",
    )
    warehouse.load_rejected([bad])
    for store, entries in catalog.items():
        give(warehouse.connection, fresh, *entries, store=store)
    warehouse.connection.close()
    fresh.replace(settings.database)
