"""Events that are nested deeper than JSON can be read here, taken out of their batch."""

from __future__ import annotations

import hashlib
import re
from itertools import islice

# Of an event. So deep one can be read wherever it is; deeper, it depends on who calls.
MOST_LEVELS = 500
TOO_DEEP = f"nested over {MOST_LEVELS} levels"
# Of one that is deeper, so much is kept.
MOST_KEPT = 32 * 1024
# Looking at more of them would hold up the others for more than some milliseconds.
MOST_TOKENS = 5_000
# One that does not end is read to the end of the body.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+'
_TOKEN = re.compile(
    # What changes no level: values, strings, and lists and objects without others inside.
    rb'(?:[^"\[\]{}]++|%b"?|[\[{](?:[^"\[\]{}]++|%b")*+[\]}])++'
    # Brackets that open, and what stands between them; its strings hold no bracket.
    rb'|((?:[\[{](?:[^"\[\]{}]++|"[^"\\\[\]{}]*+")*+)++)'
    # Brackets that close.
    rb"|([\]}]++)" % (_STRING, _STRING),
    re.DOTALL,
)
_OPENING = re.compile(rb"[\[{]")
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
        opening, closing = token.groups()
        if opening:
            higher = level + opening.count(b"[") + opening.count(b"{")
            if level <= _OUTER < higher:
                brackets = _OPENING.finditer(body, token.start())
                begin = next(islice(brackets, _OUTER - level, None)).start()
                deepest = 0
            level = higher
            deepest = max(deepest, level)
        elif closing:
            lower = level - len(closing)
            if lower <= _OUTER < level and deepest > _OUTER + MOST_LEVELS:
                behind = token.start() + level - _OUTER
                name = b'"%b-%d"' % (mark, len(deep))
                deep[name] = Deep(body[begin : min(behind, begin + MOST_KEPT)])
                kept += [body[copied:begin], name]
                copied = behind
            level = lower
    return b"".join([*kept, body[copied:]]), deep


def may_be_deep(text: bytes) -> bool:
    """Whether it holds brackets enough."""
    return text.count(b"{") + text.count(b"[") > MOST_LEVELS
