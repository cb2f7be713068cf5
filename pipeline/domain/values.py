"""What a store may write for a text, an id, a number, a price or a context, and its one form.

Each reader returns the value and, where docs/contract.md asks for another spelling, how it was
read; "says_more" where the text is kept too. Each raises `BadValueError` for what cannot be read.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any, Literal

import msgspec

MAX_ID = 2**63 - 1
MAX_QUANTITY = 10**6
MAX_PRICE = 10**10
# A line's revenue must fit DECIMAL(18, 4).
MAX_REVENUE = Decimal(10**14)
MAX_CONTEXT_BYTES = 8 * 1024
MAX_CONTEXT_DEPTH = 8

Note = Literal["respelled", "rounded", "says_more"]
How = Literal["unreadable", "too_long", "too_deep", "out_of_range", "sentinel"]

_LONGEST_ID = 20
_PLACES = Decimal("0.0001")
# Above it a float has lost digits.
_EXACT_FLOATS = 2.0**53
_WHOLE = re.compile(r"[0-9]{1,40}(?:\.0*)?", re.ASCII)
_PLAIN_PRICE = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,4})?", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_PRICE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_SENTINELS = frozenset(
    {
        *("", "undefined", "null", "(null)", "none", "nan", "unknown", "[object object]"),
        "00000000-0000-0000-0000-000000000000",
    }
)


class BadValueError(ValueError):
    """A value that cannot be read: `how` in one word, and why, in words that follow a field."""

    def __init__(self, how: How, why: str) -> None:
        self.how = how
        super().__init__(why)


def text_of(value: object, *, most: int | None) -> tuple[str, Note | None]:
    """Text of at most `most` characters; a number is its decimal text."""
    note: Note | None = None
    if type(value) is int or type(value) is float:
        value, note = _digits_of(value), "respelled"
    if not isinstance(value, str):
        raise BadValueError("unreadable", "neither text nor a number")
    if most is not None and len(value) > most:
        raise BadValueError("too_long", f"over {most} characters")
    return value, note


def _digits_of(value: float) -> str:
    """Without an exponent, and without decimals that are all zero."""
    if type(value) is int:
        try:
            return str(value)
        except ValueError:  # Python writes no more than 4,300 digits
            raise BadValueError("too_long", "too many digits") from None
    if not -_EXACT_FLOATS < value < _EXACT_FLOATS:
        raise BadValueError("unreadable", "a number that has lost digits: write it as text")
    return f"{Decimal(repr(value)).normalize():f}"


def is_sentinel(text: str, *, is_zero_one: bool) -> bool:
    """Rule I3: whether an id says nothing. `is_zero_one`: "0" says nothing either."""
    lowered = text.strip().lower()
    return lowered in _SENTINELS or (is_zero_one and lowered == "0")


def whole_of(
    value: object, *, most: int, are_digits_plain: bool = False
) -> tuple[int, Note | None]:
    """A whole number from 1 to `most`. `are_digits_plain`: its digits as text are no respelling."""
    note: Note | None = None
    if type(value) is int:
        whole = value
    elif type(value) is float and value.is_integer() and abs(value) < _EXACT_FLOATS:
        whole, note = int(value), "respelled"
    elif isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        whole = int(value.partition(".")[0])
        note = None if are_digits_plain and value.isdigit() else "respelled"
    else:
        raise BadValueError("unreadable", "not a whole number")
    if not 1 <= whole <= most:
        raise BadValueError("out_of_range", f"not between 1 and {most}")
    return whole, note


def plain_id(value: int | str) -> int:
    """The id of a product or variant as a number or its digits. Raises `BadValueError` for more."""
    if isinstance(value, str):
        if not (len(value) < _LONGEST_ID and value.isascii() and value.isdigit()):
            raise BadValueError("unreadable", "not plain digits")
        value = int(value)
    if not 1 <= value <= MAX_ID:
        raise BadValueError("out_of_range", f"not between 1 and {MAX_ID}")
    return value


def price_of(value: object) -> tuple[str, Note | None]:
    """Exact text of a price per unit, rounded half-even to four decimals."""
    if isinstance(value, str):
        text = value.strip()
        if not _PRICE.fullmatch(text):
            raise BadValueError("unreadable", "not a decimal number")
        note: Note | None = None if _DECIMAL.fullmatch(value) else "respelled"
    elif type(value) is int and value > MAX_PRICE:  # may be too long to be text
        raise BadValueError("out_of_range", "over 10^10")
    elif type(value) is int or type(value) is float:
        # A float has seventeen digits, and a price of 10^10 with four decimals fifteen.
        text, note = repr(value), None
    else:
        raise BadValueError("unreadable", "neither a number nor text")
    price = Decimal(text)
    if not price.is_finite() or price < 0:
        raise BadValueError("out_of_range", "negative")
    if price > MAX_PRICE:
        raise BadValueError("out_of_range", "over 10^10")
    rounded = price.quantize(_PLACES, ROUND_HALF_EVEN)
    return f"{abs(rounded.normalize()):f}", "rounded" if rounded != price else note


# A store has few prices. By text, and not by number: 0.0 would stand for -0.0.
@lru_cache(maxsize=4096)
def plain_price(text: str) -> str:
    """The same of what needs no rounding. Raises `BadValueError` for everything else."""
    price = Decimal(text) if _PLAIN_PRICE.fullmatch(text) else None
    if price is None or price > MAX_PRICE:
        raise BadValueError("unreadable", "not a plain price")
    return f"{price.normalize():f}"


def is_too_much(price: str, quantity: int) -> bool:
    """Whether a line's revenue, `price` (exact text) times `quantity`, is more than is kept."""
    return Decimal(price) * quantity >= MAX_REVENUE


def currency_of(value: object) -> tuple[str, Note | None]:
    """An ISO 4217 code."""
    code = value.strip().upper() if isinstance(value, str) else ""
    if not _CURRENCY.fullmatch(code):
        raise BadValueError("unreadable", "not three letters")
    return code, None if code == value else "respelled"


def channel_of(value: object) -> tuple[str, Note | None]:
    """`web` or `app`."""
    channel = value.strip().lower() if isinstance(value, str) else ""
    if channel not in {"web", "app"}:
        raise BadValueError("unreadable", "neither web nor app")
    return channel, None if channel == value else "respelled"


def context_of(value: object) -> tuple[dict[str, Any], None]:
    """A `contextual_data` with the names of each object in order."""
    if not isinstance(value, dict):
        raise BadValueError("unreadable", "not an object")
    ordered: dict[str, Any] = _sorted(value, depth=1)
    if len(msgspec.json.encode(ordered)) > MAX_CONTEXT_BYTES:
        raise BadValueError("too_long", "over 8 KiB")
    return ordered, None


def _sorted(value: Any, *, depth: int) -> Any:
    if depth > MAX_CONTEXT_DEPTH and isinstance(value, (dict, list)):
        raise BadValueError("too_deep", f"deeper than {MAX_CONTEXT_DEPTH} levels")
    if isinstance(value, dict):
        return {key: _sorted(value[key], depth=depth + 1) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item, depth=depth + 1) for item in value]
    return value


# Shoppers search for the same few things.
@lru_cache(maxsize=4096)
def search_term_of(query: str) -> str | None:
    """Rule Q1: the query as searches are grouped by it; None where nothing was asked for."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", query).casefold())
    return " ".join(folded.split()) or None
