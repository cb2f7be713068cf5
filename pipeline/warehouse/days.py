"""Days of the store (T10): how each table's are made. Everything else takes them from there."""

from __future__ import annotations

DAYS: dict[str, dict[str, str]] = {
    "in_events": {
        "day": "CAST(time_in(timezone, occurred_at) AS DATE)",
        "hour": "hour(time_in(timezone, occurred_at))",
        "received_day": "CAST(time_in(timezone, received_at) AS DATE)",
    },
    "in_sessions": {"day": "CAST(time_in(timezone, started_at) AS DATE)"},
    "in_conversions": {"day": "CAST(time_in(timezone, occurred_at) AS DATE)"},
    "in_duplicates": {"received_day": "CAST(time_in(timezone, received_at) AS DATE)"},
    # An event that failed may name no store.
    "in_rejected": {
        "received_day": "CAST(time_in(coalesce(timezone, 'UTC'), received_at) AS DATE)"
    },
}
"""Columns and their expressions, by staging table; `timezone` is that of the row of `stores`."""
