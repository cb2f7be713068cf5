"""The index of a local store by hour: it says when nothing of a device is needed any more."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from pipeline.domain.device import decode, needed_until
from pipeline.domain.rules import Rules
from pipeline.stream.rows import (
    HOUR_MS,
    entry_of,
    hour_in,
    is_after,
    key_in,
    packed,
    row_in,
    state_in,
)
from pipeline.stream.state_file import HOURS, ROWS, Tables

# A device without anything, and one of before 1970, is due at once.
_FIRST_HOUR = 1

Moved = tuple[bytes, bytes | None]
"""An entry that is stale, and what is stored of its row if that has another hour."""


class Due(NamedTuple):
    """Device keys of which nothing is needed, stale entries, and the last entry; b"" at the end."""

    keys: list[bytes]
    moved: list[Moved]
    last: bytes


def hour_of(state: bytes, rules: Rules) -> int:
    """The first hour at whose beginning nothing of `state` is needed."""
    until = needed_until(decode(state), rules)
    return _FIRST_HOUR if until is None else max(_FIRST_HOUR, until // HOUR_MS + 1)


def index_some(tables: Tables, rules: Rules, after: bytes, count: int) -> bytes:
    """Index the next `count` rows after row `after`; returns the last one, b"" at the end."""
    unindexed, last = [], b""
    cursor = tables.cursor(ROWS)
    if cursor.set_range(after):
        for row, value in islice(cursor, count):
            last = row
            if not hour_in(value):
                unindexed.append((row, value))
        if not cursor.next():
            last = b""
    cursor.close()
    for row, value in unindexed:
        _index(tables, rules, row, value)
    return last


def due(tables: Tables, rules: Rules, horizon: int, after: bytes, count: int) -> Due:
    """What is due at `horizon` (ms), among the `count` entries after `after`."""
    found = Due([], [], b"")
    last = b""
    cursor = tables.cursor(HOURS)
    if not cursor.set_range(after):
        return found
    for entry in islice(cursor.iternext(values=False), count):
        if is_after(entry, horizon):
            return found
        last, row = entry, row_in(entry)
        value = tables.get(ROWS, row)
        if value is None or entry_of(hour_in(value), row) != entry:
            found.moved.append((entry, None))
        elif hour_of(state_in(value), rules) * HOUR_MS > horizon:
            found.moved.append((entry, value))
        else:
            found.keys.append(key_in(value))
    return found._replace(last=last if cursor.next() else b"")


def move(tables: Tables, rules: Rules, moved: Iterable[Moved]) -> None:
    """Delete stale entries, and index their rows under the hours they have now."""
    for entry, value in moved:
        tables.delete(HOURS, entry)
        if value is not None:
            _index(tables, rules, row_in(entry), value)


def _index(tables: Tables, rules: Rules, row: bytes, value: bytes) -> None:
    state = state_in(value)
    hour = hour_of(state, rules)
    tables.put(ROWS, row, packed(hour, key_in(value), state))
    tables.put(HOURS, entry_of(hour, row), b"")
