"""What a reader sees of a page's HTML."""

from __future__ import annotations

import re
from html import unescape


def text_of(page: str) -> str:
    """The visible text; what is beside each other is parted by a space."""
    bare = re.sub(r"<(style|script|noscript)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(bare)).replace("\N{NO-BREAK SPACE}", " ")


def section(page: str, name: str) -> str:
    """The text of one section."""
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found is not None, name
    return text_of(found[0])


def tile(page: str, name: str) -> str:
    """The text of one of the totals, after its name."""
    for found in re.findall(r'<div class="tile">(.*?)</div>', page, re.DOTALL):
        text = text_of(found)
        if text.startswith(f" {name} "):
            return text.removeprefix(f" {name} ").strip()
    raise AssertionError(name)
