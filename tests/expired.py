"""What comes over days, of which some are beyond a term: repeats, rejects, and random shopping."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import msgspec
from factories import DAY, MINUTE, MORNING, Log, cart, click, make_event, purchase

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.topics import Rejected
from pipeline.warehouse.retention.retention import Retention
from pipeline.warehouse.retention.terms import Terms

DAYS = DAY // MINUTE
# A day for each hour of the usual rules.
TIMES = 24
# When the events of each third are, and where stream time is then, in minutes times `TIMES`.
THIRDS = ((0, 110, 130), (60, 230, 250), (120, 300, 330))
PARTITIONS, DEVICES, STEPS = 2, 6, 30
ZONES = ("UTC", "Asia/Kathmandu", "America/New_York")
TOKENS = (None, "red", "blue")
SENDERS = ("visitor", "visitor", "visitor", "bot", "server", "prefetch")


def repeated(log: Log, number: int, *, device: str) -> None:
    """An event on the day, and its repeat."""
    event = click(number * DAYS)
    log.send(event, device=device)
    log.send(event, device=device)


def rejected(number: int, **fields: Any) -> Rejected:
    at = MORNING + number * DAY
    made: dict[str, Any] = {
        "request_id": f"{number:032x}",
        "store_id": "store",
        "received_at": at,
        "index": 0,
    }
    return Rejected(**{**made, "reason": "invalid", "detail": "", "raw": "{}", **fields})


def slower(rules: Rules) -> Rules:
    """Rules of half a day and more, so that midnights lie between all their bounds."""
    return msgspec.structs.replace(
        rules,
        gap=rules.gap * TIMES,
        lookback=rules.lookback * TIMES,
        lateness=rules.lateness * TIMES,
    )


def an_event(chance: Random, minute: float) -> dict[str, Any]:
    """Of one of few sessions, with few products, tokens and orders."""
    product, token = chance.choice([1, 2]), chance.choice(TOKENS)
    fields: dict[str, Any] = {
        "session_id": chance.choice(["s1", "s2"]),
        "customer_id": chance.choice([None, None, "ann"]),
    }
    order = chance.choice([*"ABCDEF", None])
    line = {"product_id": product, "price": "10", "attribution_token": token}
    match chance.randrange(8):
        case 0 | 1:
            return click(minute, token, product_id=product, **fields)
        case 2:
            return cart(minute, token, product_id=product, **fields)
        case 3 | 4:
            return purchase(minute, line, order_id=order, **fields)
        case 5:
            fields |= {"order_id": order or "A", "items": [line], "currency": "USD"}
            return make_event("refund", minute, product_id=None, **fields)
        case 6:
            shown = {"attribution_token": token or "list", "query": "hat", "product_id": None}
            return make_event("search", minute, **shown, **fields)
        case _:
            return make_event(minute=minute, product_id=product, **fields)


def thirds(chance: Random, rules: Rules, *, number: int) -> Iterator[list[Outcome]]:
    """The outcomes of each third of the shopping in a store, after which stream time moves on."""
    logs = [Log(rules, number * PARTITIONS + place) for place in range(PARTITIONS)]
    for since, until, tick in THIRDS:
        for _ in range(STEPS):
            minute = TIMES * chance.uniform(chance.choice([0, since, since]), until)
            device = chance.randrange(DEVICES)
            logs[device % PARTITIONS].send(
                *(an_event(chance, minute + later) for later in (0, chance.choice([0, 1, 60]))),
                store=f"store-{number}",
                device=f"d:{device}",
                sender=chance.choice(SENDERS),
                timezone=ZONES[number % len(ZONES)],
            )
        # A device, and of another one what a customer did, up to somewhere in the third.
        for customer in (None, "ann"):
            device = chance.randrange(DEVICES)
            logs[device % PARTITIONS].erase(
                TIMES * chance.uniform(since, until),
                store=f"store-{number}",
                device=f"d:{device}",
                customer=customer,
            )
        for log in logs:
            log.send(make_event(minute=TIMES * tick), device=f"d:tick-{log.partition}")
        yield [outcome for log in logs for outcome in log.outcomes]
        for log in logs:
            log.outcomes.clear()


def restless(
    connection: duckdb.DuckDBPyConnection, terms: Terms, *, partitions: int = 1, **how: Any
) -> Retention:
    """One that never rests, and whose warehouse has no archive."""
    usual = {"folder": Path(), "unnamed": lambda _: None, "interval": timedelta(0)}
    return Retention(
        connection, terms, partitions=partitions, **{"clock": lambda: 0.0, **usual, **how}
    )
