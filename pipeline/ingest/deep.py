"""Events that are nested deeper than JSON can be read here, taken out of their batch."""

from __future__ import annotations

import hashlib
import re

# Of an event. So deep one can be read wherever it is; deeper, it depends on who calls.
MOST_LEVELS = 500
# Of one that is deeper, so much is kept.
MOST_KEPT = 32 * 1024
# Looking at more of them would hold up the others for more than some milliseconds.
MOST_TOKENS = 50_000
# Strings, in which a bracket is none; and brackets. One that does not end is read to the end.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]+|[\]}]+', re.DOTALL)
# An event is inside the list inside the body.
_OUTER = 2


class Deep(bytes):
    """The beginning of an event that is too deep."""

    __slots__ = ()


def without_deep(body: bytes) -> tuple[bytes, dict[bytes, Deep]]:
    """`body` with text in place of each event that is too deep, and what stands for what.

    Raises `RecursionError` where there is too much to look at. What is no JSON stays none.
    """
    # No body can hold its own digest, so none can name a text that stands for something.
    mark = hashlib.sha256(body).hexdigest().encode()
    kept: list[bytes] = []
    deep: dict[bytes, Deep] = {}
    level = deepest = begin = copied = 0
    for number, token in enumerate(_TOKEN.finditer(body)):
        if number == MOST_TOKENS:
            raise RecursionError("nested too deep, and too long to look where")
        start, end = token.span()
        size = end - start
        if body[start] in b"[{":
            if level <= _OUTER < level + size:
                begin, deepest = start + _OUTER - level, 0
            level += size
            deepest = max(deepest, level)
        elif body[start] in b"]}":
            if level - size <= _OUTER < level and deepest > _OUTER + MOST_LEVELS:
                behind = start + level - _OUTER
                name = b'"%b-%d"' % (mark, len(deep))
                deep[name] = Deep(body[begin : min(behind, begin + MOST_KEPT)])
                kept += [body[copied:begin], name]
                copied = behind
            level -= size
    return b"".join([*kept, body[copied:]]), deep


def may_be_deep(text: bytes) -> bool:
    """Whether it holds brackets enough."""
    return text.count(b"{") + text.count(b"[") > MOST_LEVELS
