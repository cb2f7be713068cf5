"""Which devices are a customer's."""

from __future__ import annotations

import duckdb


def devices_of_customer(
    connection: duckdb.DuckDBPyConnection, store: str, customer: str
) -> list[tuple[str, bool]]:
    """The keys of the devices with events of the customer; whether another customer used it."""
    rows = connection.execute(
        """
        SELECT device_key, bool_or(customer_id <> $customer) AS is_shared
        FROM events
        WHERE store_id = $store AND customer_id IS NOT NULL
        GROUP BY device_key
        HAVING bool_or(customer_id = $customer)
        ORDER BY device_key
        """,
        {"store": store, "customer": customer},
    ).fetchall()
    return [(device, is_shared) for device, is_shared in rows]
