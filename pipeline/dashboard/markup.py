"""HTML that is escaped by how it is built: a store's name or a query is whatever a client sent.

What would turn a line round, or hide in it, is shown as U+FFFD.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pipeline.printable import printable

_VOID = frozenset({"input", "link", "meta"})


class Markup(str):
    """Text that already is HTML; all other text is escaped where it is put in."""

    __slots__ = ()


Child = str | int | Sequence["Child"] | None


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. `class_` is `class`, `data_age` is `data-age`; None leaves a thing out."""
    written = "".join(
        # A form's value is not shown, and comes back as it is.
        f' {key.rstrip("_").replace("_", "-")}="'
        f'{escape(str(value) if key == "value" else printable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{together(*children)}</{name}>")


def together(*children: Child) -> Markup:
    """Children one after the other, escaped unless they are `Markup`."""
    return Markup("".join(_written(child) for child in children))


def verbatim(name: str, text: str) -> Markup:
    """A `style` or `script` of our own: their content is not parsed as HTML."""
    return Markup(f"<{name}>{text}</{name}>")


def _written(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int):
        return escape(printable(str(child)))
    return together(*child)
