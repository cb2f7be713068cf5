"""The aggregates. Each transaction adds its difference: rows added minus rows removed."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Aggregate:
    """An aggregate's table and keys; its macro is `recompute_<name>`.

    `tables` are the macro's sources when it runs over the whole database (checks); `added` and
    `removed` are the staging tables that replace them in a transaction. Every contributing row
    adds to some count, so a row whose measures are all 0 has no contributor left and is deleted.
    """

    name: str
    keys: tuple[str, ...]
    tables: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def erased(self) -> Aggregate:
        """The same in a transaction that brings no events and takes `erased_events` away."""
        if "in_events" not in self.added:
            return self
        others = self.removed[1:]
        return replace(
            self, added=("no_events", *self.added[1:]), removed=("erased_events", *others)
        )

    @property
    def only_added(self) -> Aggregate:
        """The same where a transaction removes nothing."""
        return replace(self, removed=())

    @property
    def taken(self) -> Aggregate:
        """The same where what is added otherwise is removed."""
        return replace(self, added=(), removed=self.added)


AGGREGATES = (
    Aggregate(
        "daily_traffic",
        ("store_id", "day", "event_type", "shopping_channel", "is_bot", "is_prefetch"),
        ("events",),
        ("in_events",),
        (),
    ),
    Aggregate(
        "daily_arrivals",
        ("store_id", "day", "received_day", "field", "outcome", "reason"),
        ("events",),
        ("in_events",),
        (),
    ),
    Aggregate(
        "daily_sessions",
        (
            "store_id",
            "day",
            "shopping_channel",
            "marketing_source",
            "marketing_medium",
            "is_bot",
            "is_report",
        ),
        ("sessions",),
        ("new_sessions",),
        ("old_sessions",),
    ),
    Aggregate(
        "daily_products",
        ("store_id", "day", "product_id", "is_bot", "currency"),
        ("events", "order_lines"),
        ("in_events", "new_lines"),
        ("no_events", "old_lines"),
    ),
    Aggregate(
        "daily_tokens",
        ("store_id", "day", "attribution_token", "is_bot", "currency"),
        ("events", "order_lines"),
        ("in_events", "new_lines"),
        ("no_events", "old_lines"),
    ),
    Aggregate(
        "daily_attribution",
        (
            "store_id",
            "day",
            "conversion_type",
            "match",
            "attribution_token",
            "is_bot",
            "currency",
        ),
        ("conversion_facts",),
        ("new_conversions",),
        ("old_conversions",),
    ),
)

SUMS = (
    Aggregate(
        "summed_blended",
        (
            "store_id",
            "day",
            "shows",
            "attribution_token",
            "block_id",
            "collection_handle",
            "search_term",
            "product_id",
            "position",
            "is_bot",
            "currency",
        ),
        (),
        ("blended_parts",),
        (),
    ),
    Aggregate(
        "summed_searches",
        ("store_id", "day", "search_term", "currency"),
        (),
        ("search_parts",),
        (),
    ),
)
"""What closed sessions add up to, by day (decision 0046): see `load/summing.py`."""


# A comparison that NULL could pass prunes nothing.
_NEVER_NULL = {"store_id", "day"}


def difference(aggregate: Aggregate, columns: list[str]) -> str:
    """The statement that adds a transaction's difference to the table of `aggregate`.

    `columns` are the table's, keys first.
    """
    keys, measures = aggregate.keys, [name for name in columns if name not in aggregate.keys]

    def rows(sources: tuple[str, ...], sign: str) -> str:
        names = ", ".join(f"'{source}'" for source in sources)
        values = ", ".join(f"{sign}{name} AS {name}" for name in measures)
        return f"SELECT {', '.join(keys)}, {values} FROM recompute_{aggregate.name}({names})"  # noqa: S608  # our own names

    signed = ((aggregate.added, ""), (aggregate.removed, "-"))
    parts = " UNION ALL ".join(rows(sources, sign) for sources, sign in signed if sources)
    sums = ", ".join(f"sum({name}) AS {name}" for name in measures)
    same = " AND ".join(
        f"t.{key} = d.{key}" if key in _NEVER_NULL else f"t.{key} IS NOT DISTINCT FROM d.{key}"
        for key in keys
    )
    added = {name: f"t.{name} + d.{name}" for name in measures}
    zero = " AND ".join(f"{value} = 0" for value in added.values())
    update = ", ".join(f"{name} = {value}" for name, value in added.items())
    changed = " OR ".join(f"{name} <> 0" for name in measures)
    inserted = ", ".join(f"d.{name}" for name in columns)
    return f"""
        MERGE INTO {aggregate.name} AS t USING (
            SELECT {", ".join(keys)}, {sums} FROM ({parts}) GROUP BY ALL HAVING {changed}
        ) AS d
            ON near_days(t.day) AND {same}
        WHEN MATCHED AND {zero} THEN DELETE
        WHEN MATCHED THEN UPDATE SET {update}
        WHEN NOT MATCHED THEN INSERT ({", ".join(columns)}) VALUES ({inserted});
    """  # noqa: S608  # our own names
