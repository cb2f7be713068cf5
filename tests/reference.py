"""A second implementation of orders, models, refunds and blended counts, in Python, from rows.

Written from the rules (A7-A9, A11, B1-B4) and not from `sql/`, so that agreement means something.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from fractions import Fraction
from typing import Any

getcontext().prec = 60

Row = dict[str, Any]
PLACES = {"JPY": 0, "USD": 2, "KWD": 3}
RANK = {"search": 0, "collection_view": 0, "block_view": 1, "product_impression": 1}
MODELS = ("last", "first", "linear", "position", "time_decay")
MINUTE_MS = 60_000


def rounded(amount: Fraction, currency: str | None) -> Decimal:
    """Round half-even to the minor unit."""
    exact = Decimal(amount.numerator) / Decimal(amount.denominator)
    return exact.quantize(Decimal(1).scaleb(-PLACES.get(currency or "", 2)), ROUND_HALF_EVEN)


def weights(model: str, ages_ms: list[int], half_life_ms: int) -> list[Fraction]:
    """The weight of each touch of a path, oldest first; their sum is 1."""
    n = len(ages_ms)
    if model == "last":
        return [Fraction(0)] * (n - 1) + [Fraction(1)]
    if model == "first":
        return [Fraction(1)] + [Fraction(0)] * (n - 1)
    if model == "linear" or (model == "position" and n < 3):
        return [Fraction(1, n)] * n
    if model == "position":
        return [Fraction(2, 5), *[Fraction(1, 5 * (n - 2))] * (n - 2), Fraction(2, 5)]
    decayed = [Fraction(Decimal("0.5") ** (Decimal(age) / half_life_ms)) for age in ages_ms]
    return [part / sum(decayed) for part in decayed]


def split(amount: Decimal, shares: list[Fraction], currency: str | None) -> list[Decimal]:
    """`amount` by shares, each rounded to the minor unit; the last one takes the remainder."""
    parts = [rounded(Fraction(amount) * share, currency) for share in shares[:-1]]
    return [*parts, amount - sum(parts)]


def credits_of(
    conversions: list[Row], touches: list[Row], *, half_life_ms: int
) -> dict[Any, Decimal]:
    """Credits by (conversion, model, position); the position is None without touches."""
    paths: dict[Any, list[Row]] = defaultdict(list)
    for touch in sorted(touches, key=lambda row: row["position"]):
        paths[touch["conversion_key"]].append(touch)
    found: dict[Any, Decimal] = {}
    for row in conversions:
        path, key, revenue = paths[row["conversion_key"]], row["conversion_key"], row["revenue"]
        for model in MODELS:
            if revenue is None:
                found |= {
                    (key, model, touch["position"]): None for touch in path or [{"position": None}]
                }
            elif not path:
                found[key, model, None] = revenue
            else:
                ages = [ms(row["occurred_at"]) - ms(touch["touched_at"]) for touch in path]
                parts = split(revenue, weights(model, ages, half_life_ms), row["currency"])
                found |= {(key, model, at): part for at, part in enumerate(parts, start=1)}
    return found


def refunds(
    lines: list[Row],
) -> tuple[dict[Any, tuple[str, Decimal]], list[tuple[Row, Row, Decimal, Decimal]]]:
    """(event, time, line) of each refund line to its state and what it takes; and each part taken:
    refund line, order line, and how much of that was taken before and after it.
    """
    order = sorted(lines, key=lambda row: (row["occurred_at"], row["event_key"], row["line"]))
    pooled = {
        (row["store_id"], row["order_id"], row["product_id"])
        for row in lines
        if row["variant_id"] is None and counts(row)
    }

    def pool(row: Row) -> Any:
        product = (row["store_id"], row["order_id"], row["product_id"])
        return product if product in pooled else (*product, row["variant_id"])

    bought: dict[Any, list[Row]] = defaultdict(list)
    for row in order:
        if not row["is_refund"] and counts(row) and row["order_id"] is not None:
            bought[pool(row)].append(row)
    states: dict[Any, tuple[str, Decimal]] = {}
    taken: list[tuple[Row, Row, Decimal, Decimal]] = []
    used: dict[Any, Decimal] = defaultdict(Decimal)
    for row in (row for row in order if row["is_refund"]):
        owed = bought[pool(row)]
        priced = next((one for one in owed if one["price"] is not None), None)
        state = _refused(row, owed, priced)
        owed = [one for one in owed if one["currency"] == (row["currency"] or _currency(priced))]
        asked = left = Decimal(0)
        if state is None:
            asked = left = row["revenue"] if priced is None else _asked(row, priced)
            for one in owed:
                line = (one["event_key"], one["occurred_at"], one["line"])
                before = used[line]
                part = min(left, (one["revenue"] or 0) - before)
                if part > 0:
                    used[line], left = before + part, left - part
                    taken.append((row, one, before, before + part))
            state = "counted" if left < asked or asked == 0 else "over"
        states[row["event_key"], row["occurred_at"], row["line"]] = (state, asked - left)
    return states, taken


def _refused(row: Row, owed: list[Row], priced: Row | None) -> str | None:
    """The reason why a refund line takes nothing from its order's lines."""
    if row["is_repeated"]:
        return "repeated"
    if row["is_unconfirmed"]:
        return "unconfirmed"
    if not owed:
        return "waiting"
    if row["revenue"] is None and priced is None:
        return "unpriced"
    money = {one["currency"] for one in owed} - {None}
    if priced and row["currency"] is not None and row["currency"] not in money:
        return "other_currency"
    return None


def _currency(priced: Row | None) -> str | None:
    return None if priced is None else priced["currency"]


def counts(row: Row) -> bool:
    """Whether an order line counts."""
    return not row["is_repeated"] and not row["is_unconfirmed"]


def settled(lines: list[Row]) -> dict[Any, tuple[Any, ...]]:
    """(event, time, line) of each order line to what counts of it (A9, A11).

    That is whether it is repeated, unconfirmed, and the one that counts its order; its quantity,
    price and currency.
    """
    things: dict[Any, list[Row]] = defaultdict(list)
    for row in lines:
        event = (row["event_key"], row["occurred_at"])
        named = (row["order_id"], row["refund_id"]) if row["is_refund"] else (row["order_id"],)
        key = event if None in named else named
        things[row["store_id"], row["is_refund"], key].append(row)
    trusted = {
        (row["store_id"], row["order_id"])
        for row in lines
        if row["is_trusted"] and not row["is_refund"] and row["order_id"] is not None
    }
    found: dict[Any, tuple[Any, ...]] = {}
    for (store, is_refund, _), rows in things.items():
        money: dict[int, Row | None] = {}
        for product in {row["product_id"] for row in rows}:
            some = [row for row in rows if row["product_id"] == product]
            is_named = is_refund and any(row["is_trusted"] for row in rows)
            is_open = all(row["needs_confirmation"] for row in rows)
            if (store, rows[0]["order_id"]) in trusted or is_named or is_open:
                money |= _confirmed(some)
            else:
                money |= {id(row): row for row in _best(some)}
        merits = {id(row): _merit(row, rows) for row in rows}
        paid = [row for row in rows if money.get(id(row)) is not None]
        first = min(paid, key=lambda row: (merits[id(row)], row["line"]), default=None)
        for row in rows:
            of = money.get(id(row))
            said = row if of is None else of
            found[row["event_key"], row["occurred_at"], row["line"]] = (
                id(row) not in money,
                id(row) in money and of is None,
                row is first and not is_refund,
                said["reported_quantity"],
                said["reported_price"],
                said["reported_currency"],
            )
    return found


def _merit(row: Row, rows: list[Row]) -> tuple[Any, ...]:
    """The place of a line's report among those of its product; the least is the best."""
    event = [
        one
        for one in rows
        if (one["event_key"], one["occurred_at"]) == (row["event_key"], row["occurred_at"])
        and one["product_id"] == row["product_id"]
    ]
    return (
        row["is_bot"],
        all(one["reported_price"] is None for one in event),
        row["device_key"].startswith("s:"),
        row["is_server"],
        row["occurred_at"],
        row["event_key"],
    )


def _best(rows: list[Row]) -> list[Row]:
    """Rule A9 for one product of one order."""
    if not rows:
        return []
    ranked = sorted(rows, key=lambda row: _merit(row, rows))
    best = [row for row in rows if _merit(row, rows) == _merit(ranked[0], rows)]
    if any(row["variant_id"] is None for row in best):
        return best
    named = {row["variant_id"] for row in best}
    for variant in {row["variant_id"] for row in rows} - named - {None}:
        of_variant = [row for row in ranked if row["variant_id"] == variant]
        merit = _merit(of_variant[0], rows)
        best += [row for row in of_variant if _merit(row, rows) == merit]
    return best


def _confirmed(rows: list[Row]) -> dict[int, Row | None]:
    """Rule A11: each line that counts, or would, to the line whose money it has.

    None: it is unconfirmed.
    """
    counted, sure = _best(rows), _best([row for row in rows if row["is_trusted"]])
    pooled = any(row["variant_id"] is None for row in [*counted, *sure])
    both = [row for row in counted if any(row is one for one in sure)]
    money: dict[int, Row | None] = {id(row): row for row in both}
    waiting: dict[Any, list[Row]] = defaultdict(list)
    for row in sorted(sure, key=lambda row: (_merit(row, rows), row["line"])):
        if id(row) not in money:
            waiting[None if pooled else row["variant_id"]].append(row)
    for row in sorted(counted, key=lambda row: (_merit(row, rows), row["line"])):
        if id(row) not in money:
            left = waiting[None if pooled else row["variant_id"]]
            money[id(row)] = left.pop(0) if left else None
    for left in waiting.values():
        money |= {id(row): row for row in left}
    return money


def _asked(row: Row, priced: Row) -> Decimal:
    return row["revenue"] if row["revenue"] is not None else row["quantity"] * priced["price"]


def refund_credits(
    taken: Iterable[tuple[Row, Row, Decimal, Decimal]],
    conversions: list[Row],
    credited: dict[Any, Decimal],
) -> dict[Any, Decimal]:
    """Amounts taken from credits, by (refund event, line, conversion, model, position)."""
    of_line = {(row["event_key"], row["occurred_at"], row["line"]): row for row in conversions}
    positions: dict[Any, list[int | None]] = defaultdict(list)
    for key, model, position in sorted(credited, key=str):
        positions[key, model].append(position)
    found: dict[Any, Decimal] = {}
    for refund, line, before, after in taken:
        row = of_line[line["event_key"], line["occurred_at"], line["line"]]
        for model in MODELS:
            key, path = (
                row["conversion_key"],
                sorted(positions[row["conversion_key"], model], key=lambda at: at or 0),
            )
            parts = [credited[key, model, at] for at in path]

            def so_far(
                amount: Decimal, parts: list[Decimal] = parts, row: Row = row
            ) -> list[Decimal]:
                shares = [Fraction(part) / Fraction(row["revenue"]) for part in parts]
                return split(amount, shares, row["currency"])

            for at, first, second in zip(path, so_far(before), so_far(after), strict=True):
                found[refund["event_key"], refund["line"], key, model, at] = second - first
    return found


def blended(events: list[Row], lines: list[Row], sessions: list[Row]) -> dict[Any, dict[str, Any]]:
    """(store, session, is_bot, token) to t0, impressions, and what counts for it (B1-B4)."""
    homes: dict[Any, list[Row]] = defaultdict(list)
    for row in sessions:
        homes[row["store_id"], row["device_key"], row["session_id"]].append(row)

    def home(row: Row) -> Any:
        of = homes[row["store_id"], row["device_key"], row["session_id"]]
        (one,) = [s for s in of if s["started_at"] <= row["occurred_at"] <= s["ended_at"]]
        return row["store_id"], one["session_key"], row["is_bot"]

    tokens = _shown(events, home)
    for where, action, row in _done(events, lines, home):
        at, carried = ms(row["occurred_at"]), row["attribution_token"]
        if carried is not None:
            if (*where, carried) in tokens:
                tokens[*where, carried]["counted"].append((action, row, Decimal(1)))
            continue
        claims = list(_claims(tokens, where, at, row["product_id"]))
        if claims:
            t0, _, token = max(claims, key=lambda claim: claim[:2])
            full = at - t0 <= 2 * MINUTE_MS
            token["counted"].append((action, row, Decimal(1) if full else Decimal("0.5")))
    return tokens


def _shown(events: list[Row], home: Any) -> dict[Any, dict[str, Any]]:
    tokens: dict[Any, dict[str, Any]] = {}
    for row in sorted(
        events,
        key=lambda row: (row["occurred_at"], RANK.get(row["event_type"], 9), row["event_key"]),
    ):
        unseen = row["is_prefetch"] or row["attribution_token"] is None
        if row["event_type"] not in RANK or unseen:
            continue
        token = tokens.setdefault(
            (*home(row), row["attribution_token"]),
            {
                "t0": ms(row["occurred_at"]),
                "day": row["day"],
                "products": [],
                "counted": [],
                "block_id": None,
                "collection_handle": None,
                "search_term": None,
            },
        )
        for name in ("block_id", "collection_handle", "search_term"):
            token[name] = token[name] if token[name] is not None else row[name]
        if row["event_type"] == "product_impression":
            token["products"].append((row["product_id"], row["position"], ms(row["occurred_at"])))
    return tokens


def _claims(
    tokens: dict[Any, dict[str, Any]], where: Any, at: int, product: int
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Tokens of a session that may claim an action without a token (B2, B3)."""
    for (*place, name), token in tokens.items():
        products = [one for one, *_ in token["products"]]
        if (
            tuple(place) == where
            and 0 <= at - token["t0"] <= 10 * MINUTE_MS
            and (not products or product in products)
        ):
            yield token["t0"], name, token


def _done(events: list[Row], lines: list[Row], home: Any) -> Iterator[tuple[Any, str, Row]]:
    for row in events:
        if row["event_type"] in ("product_click", "add_to_cart") and not row["is_prefetch"]:
            yield home(row), row["event_type"], row
    for row in lines:
        if not row["is_refund"] and counts(row):
            yield home(row), "purchase", row


def ms(moment: Any) -> int:
    """A naive UTC time as exact epoch milliseconds."""
    return (moment - moment.min) // timedelta(milliseconds=1)


def orders(
    lines: list[Row],
    conversions: list[Row],
    credited: dict[Any, Decimal | None],
    touches: list[Row],
    states: dict[Any, tuple[str, Decimal]],
) -> dict[Any, dict[str, Any]]:
    """Each order that counts (A9), by the (event, time) of the line through which it does."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    returned: dict[Any, Decimal] = defaultdict(Decimal)
    for row in lines:
        if row["is_refund"]:
            taken = states[row["event_key"], row["occurred_at"], row["line"]][1]
            returned[row["store_id"], row["order_id"]] += taken
        elif counts(row):
            own = (row["event_key"], row["occurred_at"]) if row["order_id"] is None else ()
            groups[row["store_id"], row["order_id"], own].append(row)
    of_line = {(row["event_key"], row["occurred_at"], row["line"]): row for row in conversions}
    tokens = {(touch["conversion_key"], touch["position"]): touch for touch in touches}
    found: dict[Any, dict[str, Any]] = {}
    for (store, order, _), rows in groups.items():
        rows.sort(key=lambda row: (row["occurred_at"], row["event_key"], row["line"]))
        (best,) = [row for row in rows if row["counts_order"]]
        currency = next((row["currency"] for row in rows if row["currency"] is not None), None)
        paid = [row["revenue"] for row in rows if row["currency"] == currency and row["revenue"]]
        has_price = any(row["revenue"] is not None for row in rows)
        gross = sum(paid, Decimal(0)) if has_price else None
        earned: dict[str, dict[str, Decimal]] = {model: defaultdict(Decimal) for model in MODELS}
        for row in rows:
            conversion = of_line[row["event_key"], row["occurred_at"], row["line"]]
            for (key, model, at), credit in credited.items():
                if key == conversion["conversion_key"]:
                    touch = tokens.get((key, at))
                    token = (touch or conversion)["attribution_token"]
                    if token is not None:
                        earned[model][token] += credit or 0
        found[best["event_key"], best["occurred_at"]] = {
            "store_id": store,
            "order_id": order,
            "day": best["day"],
            "device_key": best["device_key"],
            "first_counted_at": rows[0]["occurred_at"],
            "lines": len(rows),
            "quantity": sum(row["quantity"] for row in rows),
            "currency": currency,
            "gross": gross,
            "refunded": None if gross is None else returned[store, order],
            "is_bot": best["is_bot"],
            "earned": earned,
        }
    return found


def searches(events: list[Row], lines: list[Row], sessions: list[Row]) -> dict[Any, dict[str, Any]]:
    """(store, day, term) to what people's searches were followed by in their sessions (Q2)."""
    found: dict[Any, dict[str, Any]] = {}
    for session in sessions:
        if session["is_bot"]:
            continue

        def is_in(row: Row, session: Row = session) -> bool:
            same = ("store_id", "device_key", "session_id")
            return (
                all(row[name] == session[name] for name in same)
                and session["started_at"] <= row["occurred_at"] <= session["ended_at"]
                and not row["is_bot"]
            )

        done = [
            (row["occurred_at"], _PLACE[row["event_type"]], row["event_key"], 0, row)
            for row in events
            if row["event_type"] in _PLACE and is_in(row) and not row["is_prefetch"]
        ]
        done += [
            (row["occurred_at"], 6, row["event_key"], row["line"], row)
            for row in lines
            if is_in(row) and not row["is_refund"] and counts(row)
        ]
        one: dict[str, Any] | None = None
        for _, place, *_, row in sorted(done, key=lambda at: at[:4]):
            if place == 0:
                one = {"clicks": [], "carts": 0, "bought": [], "session": session["session_key"]}
                key = (row["store_id"], row["day"], row["search_term"])
                found.setdefault(key, {"searches": []})["searches"].append(one)
            elif one is not None and place == 3:
                one["clicks"].append(row["position"])
            elif one is not None and place == 5:
                one["carts"] += 1
            elif one is not None:
                one["bought"].append((row["currency"], row["revenue"]))
    return found


_PLACE = {"search": 0, "product_click": 3, "add_to_cart": 5}
