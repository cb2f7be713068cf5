"""What the catalog has of a product, variant, collection, block or token."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.domain.values import MAX_ID, BadValueError, whole_of
from pipeline.warehouse.database import DatabaseError

# Of an entry. Browsers take longer addresses, and no shop has them.
MOST_TEXT = 1024
MOST_ADDRESS = 2048


class CatalogError(DatabaseError):
    """A catalog cannot be read or taken. The message is one line that says where it is wrong."""


class Entry(NamedTuple):
    """A row of `catalog`, without its store. `id` is unique among those of its kind."""

    kind: str
    id: str
    title: str | None = None
    url: str | None = None
    image: str | None = None
    category: str | None = None


def _number(text: str) -> str:
    """The text of an id as events have it."""
    return str(whole_of(text, most=MAX_ID)[0])


def _text(most: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not text.strip():
            raise BadValueError("unreadable", "empty")
        if len(text) > most:
            raise BadValueError("too_long", f"over {most} characters")
        return text

    return read


# How the id of each kind is read: as the field of an event that names it.
KINDS: dict[str, Callable[[str], str]] = {
    "product": _number,
    "variant": _number,
    "collection": _text(255),
    "block": _text(256),
    "token": _text(512),
}


def id_reader(kind: str) -> Callable[[str], str]:
    """Reads an id of that kind. Both raise ValueError, as all readers of a cell do."""
    if kind not in KINDS:
        raise BadValueError("unreadable", f"none of {', '.join(KINDS)}")
    return KINDS[kind]


def read_text(text: str, *, most: int = MOST_TEXT) -> str | None:
    """A title or category; None where it is empty. Raises ValueError."""
    text = " ".join(text.split())
    return _text(most)(text) if text else None


def read_address(text: str) -> str | None:
    """An address that a page may link to; None where it is empty. Raises ValueError."""
    address = read_text(text, most=MOST_ADDRESS)
    if address and not address.lower().startswith(("http://", "https://")):
        raise BadValueError("unreadable", "not an address that begins with http:// or https://")
    return address
