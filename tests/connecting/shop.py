"""A loader that publishes snapshots, and a check that a client follows them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from factories import RULES, Log, purchase
from warehouse_fixture import Warehouse

from pipeline.warehouse.snapshots.publish import SnapshotPublisher

Ask = Callable[[str], list[list[Any]]]
# Two numbers that are the same in any one snapshot.
QUESTION = (
    "SELECT (SELECT count(*) FROM shop.events) AS events,"
    " (SELECT CAST(sum(events) AS BIGINT) FROM shop.daily_traffic) AS counted"
)


class Shop:
    """Orders one by one, each published, in `data/analytics.duckdb` below a folder."""

    def __init__(self, folder: Path) -> None:
        data = folder / "data"
        data.mkdir()
        self.folder = folder
        self.events = 0
        self._log, self._warehouse = Log(RULES), Warehouse(data / "live.duckdb", RULES)
        self._publisher = SnapshotPublisher(
            self._warehouse.connection, self._warehouse.path, data / "analytics.duckdb"
        )
        self.publish()

    def publish(self) -> int:
        """A snapshot with one more event; returns how many it has."""
        bought = purchase(self.events, order_id=f"order-{self.events}")
        self._warehouse.load([self._log.send(bought)])
        self._publisher.publish()
        self.events += 1
        return self.events

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """One snapshot after the other, in the background."""
        ended = threading.Event()

        def publish() -> None:
            while not ended.is_set():
                self.publish()

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def close(self) -> None:
        self._warehouse.connection.close()


def assert_follows(ask: Ask, shop: Shop) -> None:
    """Each answer is of the newest snapshot, or of one whole one while they are replaced."""
    assert ask(QUESTION) == [[shop.events, shop.events]]
    published = shop.publish()
    assert ask(QUESTION) == [[published, published]]
    last = published
    with shop.publishing():
        while shop.events < published + 2:
            ((events, counted),) = ask(QUESTION)
            assert events == counted
            assert events >= last
            last = events
    assert ask(QUESTION) == [[shop.events, shop.events]]
