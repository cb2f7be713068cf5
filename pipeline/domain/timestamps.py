"""Timestamps as stores write them, to epoch milliseconds (T1, T9).

Each function raises `BadValueError` for what is no time, or could be read in two ways.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal

from pipeline.domain.values import BadValueError

MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MS = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // MILLISECOND
LAST_MS = (datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC) - _EPOCH) // MILLISECOND
_DAY_MS = timedelta(days=1) // MILLISECOND
# By size: seconds below the first, then milliseconds, microseconds, nanoseconds.
_MILLISECONDS, _MICROSECONDS, _NANOSECONDS = 10**11, 10**14, 10**17
# Nanoseconds of the year 9999 have 21.
_MOST_DIGITS = 30
_EXACT = Context(prec=100)
# No zone is further from UTC.
_MOST_OFFSET = timedelta(hours=14)

# The characters between the numbers of what browsers and most libraries write.
_COMMON_LENGTHS = (20, 24)
_COMMON_MARKS = ("--T::Z", "--T::.")
_OFFSET = r"(?P<sign>[+-])(?P<h>[0-9]{2})(?::?(?P<m>[0-9]{2}))?"
# The name of a zone behind the offset, as Java and Temporal write it, adds nothing.
_ZONE = rf"(?: ?(?:[Zz]|UTC|GMT|{_OFFSET})(?:\[[A-Za-z0-9_+\-/]{{1,64}}\])?)?"
_DECIMALS = r"(?:[.,](?P<decimals>[0-9]+))?"
_ISO = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    rf"(?:[Tt ](?P<clock>[0-9]{{2}}(?::[0-9]{{2}}(?::[0-9]{{2}}{_DECIMALS})?)?){_ZONE})?"
)
_BASIC = re.compile(rf"(?P<date>[0-9]{{8}})[Tt](?P<clock>[0-9]{{6}}{_DECIMALS}){_ZONE}")
_NUMBER = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,30})?")
# 20261120, 202611201000 and 20261120100000 are dates to some and numbers to others.
_DATE_LIKE = re.compile(
    r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:(?:[01][0-9]|2[0-3])[0-5][0-9]"
    r"(?:[0-5][0-9])?)?"
)


def epoch_ms(value: object) -> int:
    """A timestamp in epoch milliseconds; text without an offset is UTC."""
    return read_time(value)[0]


def read_time(value: object) -> tuple[int, bool]:
    """A timestamp in epoch milliseconds, and whether it said more than that.

    It does with an offset that is not zero, or with a fraction of a millisecond.
    """
    if isinstance(value, str):
        text = value.strip()
        found = _of_number(text) if _NUMBER.fullmatch(text) else _of_iso(text)
    elif type(value) is int and value >= 10**_MOST_DIGITS:  # may be too long to be text
        raise BadValueError("out_of_range", "outside the years 1 to 9999")
    elif type(value) is int or type(value) is float:
        found = _of_number(repr(value))
    else:
        raise BadValueError("unreadable", "neither text nor a number")
    if not FIRST_MS <= found[0] <= LAST_MS:
        raise BadValueError("out_of_range", "outside the years 1 to 9999")
    return found


def common_time(text: str) -> int:
    """The same for the one spelling that most senders use. Raises for every other.

    It is 2026-11-20T10:00:00Z, with three decimals or none.
    """
    try:
        # `fromisoformat` takes weeks and compact times too.
        if len(text) in _COMMON_LENGTHS and text[4:20:3] in _COMMON_MARKS and text[-1] == "Z":
            since = datetime.fromisoformat(text) - _EPOCH
            # Quicker than a division of the whole.
            return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000
    except ValueError:
        pass
    raise BadValueError("unreadable", "not as most times")


def _of_number(text: str) -> tuple[int, bool]:
    if _DATE_LIKE.fullmatch(text.removesuffix(".0")):
        raise BadValueError("unreadable", "a date or a number: write it as ISO 8601")
    number = Decimal(text)
    if not number.is_finite() or number <= 0:
        raise BadValueError("out_of_range", "not positive")
    if number.adjusted() > _MOST_DIGITS:
        raise BadValueError("out_of_range", "outside the years 1 to 9999")
    if number < _MILLISECONDS:
        moment = _EXACT.multiply(number, Decimal(1000))
    elif number < _MICROSECONDS:
        moment = number
    else:
        per_ms = 1000 if number < _NANOSECONDS else 1_000_000
        moment = _EXACT.divide(number, Decimal(per_ms))
    floored = int(moment)
    return floored, moment != floored


def _of_iso(text: str) -> tuple[int, bool]:
    match = _ISO.fullmatch(text) or _BASIC.fullmatch(text)
    if match is None:
        raise BadValueError("unreadable", "not an ISO 8601 time")
    found = match.groupdict()
    date, digits = found["date"].replace("-", ""), (found["clock"] or "").replace(":", "")
    clock = digits[:6].ljust(6, "0")
    decimals = found["decimals"] or ""
    # ISO 8601 calls the end of a day 24:00.
    is_end = clock == "240000" and not decimals.strip("0")
    try:
        parsed = datetime.fromisoformat(f"{date}T{'000000' if is_end else clock}+00:00")
    except ValueError:
        raise BadValueError("unreadable", "not an ISO 8601 time") from None
    offset = timedelta(hours=int(found.get("h") or 0), minutes=int(found.get("m") or 0))
    if offset > _MOST_OFFSET or (found.get("m") or "") > "59":
        raise BadValueError("unreadable", "no zone has this offset")
    if found.get("sign") == "-":
        offset = -offset
    moment = (parsed - _EPOCH - offset) // MILLISECOND + int(decimals[:3].ljust(3, "0"))
    if is_end:
        moment += _DAY_MS
    return moment, bool(offset) or bool(decimals[3:].strip("0"))
