"""Builds HTML that is always escaped: a store's name or a query can be anything a client sent.

Invisible and direction-changing characters become U+FFFD.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pipeline.printable import printable

_VOID = frozenset({"input", "link", "meta"})


class Markup(str):
    """Text that is already HTML; all other text is escaped when it is inserted."""

    __slots__ = ()


Content = str | int | Sequence["Content"] | None


def tag(name: str, /, *children: Content, **attributes: str | float | None) -> Markup:
    """An element. `class_` is `class`, `data_age` is `data-age`; None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{together(*children)}</{name}>")


def together(*children: Content) -> Markup:
    """The children in order, escaped unless they are `Markup`."""
    return Markup("".join(_written(child) for child in children))


def verbatim(name: str, text: str) -> Markup:
    """A `style` or `script` of ours, whose content is not parsed as HTML."""
    return Markup(f"<{name}>{text}</{name}>")


def _written(child: Content) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int):
        return escape(printable(str(child)))
    return together(*child)
