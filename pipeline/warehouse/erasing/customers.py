"""Which devices are a customer's."""

from __future__ import annotations

import duckdb


def devices_of_customer(
    connection: duckdb.DuckDBPyConnection, store: str, customer: str
) -> list[str]:
    """The keys of the devices with events of the customer, in order."""
    rows = connection.execute(
        "SELECT DISTINCT device_key FROM events WHERE store_id = ? AND customer_id = ?"
        " ORDER BY device_key",
        [store, customer],
    ).fetchall()
    return [device for (device,) in rows]
