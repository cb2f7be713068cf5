"""What a shop may write for a time, an id, a price or a context, and the one form that each takes.

The reader of the wire and the models of the catalog both call these, so that they cannot differ.
Each raises `ValueError` with the reason, in words that follow a field's name and a colon.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from pipeline.domain.rules import MILLISECOND

MAX_ID = 2**63 - 1
MAX_QUANTITY = 10**6
MAX_PRICE = 10**10
# A line's revenue must fit DECIMAL(18, 4).
MAX_REVENUE = Decimal(10**14)
MAX_CONTEXT_BYTES = 8 * 1024
MAX_CONTEXT_DEPTH = 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MS = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // MILLISECOND
LAST_MS = (datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC) - _EPOCH) // MILLISECOND
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ]|$)", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,11}(\.[0-9]{1,4})?", re.ASCII)


def epoch_ms(value: object) -> int:
    """A `timestamp` in epoch milliseconds; text without an offset is UTC (T1)."""
    if type(value) is int:
        moment = value
    elif isinstance(value, str):
        # `fromisoformat` also reads 20260101123 and weeks, which nobody means as a time.
        if not _DATE.match(value):
            raise ValueError("not an ISO 8601 time")
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("not an ISO 8601 time") from None
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        moment = (parsed - _EPOCH) // MILLISECOND
    else:
        raise ValueError("neither text nor an integer")
    if not FIRST_MS <= moment <= LAST_MS:
        raise ValueError("outside the years 1 to 9999")
    return moment


def id_of(value: int | str) -> int:
    """A product's or variant's id, given as a number or as its digits."""
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            raise ValueError("not a whole number")
        value = int(value)
    if not 1 <= value <= MAX_ID:
        raise ValueError(f"not between 1 and {MAX_ID}")
    return value


def price_of(value: float | str) -> str:
    """Exact text: up to 10^10 with four decimals has 15 digits, which a float still holds."""
    return _exact(value if isinstance(value, str) else format(Decimal(repr(value)), "f"))


# A shop has few prices. By text, and not by number: 0.0 would stand for -0.0.
@lru_cache(maxsize=4096)
def _exact(text: str) -> str:
    if not _DECIMAL.fullmatch(text):
        raise ValueError("not a decimal of 0 to 10^10 with at most 4 places")
    price = Decimal(text)
    if price > MAX_PRICE:
        raise ValueError("over 10^10")
    return f"{price.normalize():f}"


def is_too_much(price: str, quantity: int) -> bool:
    """Whether a line's revenue, `price` (exact text) times `quantity`, is more than is kept."""
    return Decimal(price) * quantity >= MAX_REVENUE


def context_of(value: dict[str, Any]) -> dict[str, Any]:
    """A `contextual_data` with the names of each object in order."""
    ordered: dict[str, Any] = _sorted(value, depth=1)
    if len(msgspec.json.encode(ordered)) > MAX_CONTEXT_BYTES:
        raise ValueError("over 8 KiB")
    return ordered


def _sorted(value: Any, *, depth: int) -> Any:
    if depth > MAX_CONTEXT_DEPTH and isinstance(value, (dict, list)):
        raise ValueError(f"deeper than {MAX_CONTEXT_DEPTH} levels")
    if isinstance(value, dict):
        return {key: _sorted(value[key], depth=depth + 1) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item, depth=depth + 1) for item in value]
    return value
