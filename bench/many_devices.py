"""States of many devices, made quickly: one device goes through the rules, the others are copies.

In a copy all that is random is random again: event keys, contents, session id and tokens. So it has
the size of a real state, and compresses like one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from factories import (  # type: ignore[import-not-found]  # the tests' own
    MORNING,
    cart,
    click,
    make_event,
)
from stream_log import PartitionLog  # type: ignore[import-not-found]  # as above

from pipeline.domain.device import Device, decode
from pipeline.domain.identity import record_key
from pipeline.stream.partition import PartitionState

__all__ = ["MORNING", "Copies", "key_of"]

_STORE = "store"
_SESSION = "0" * 36


def key_of(number: int) -> bytes:
    """The record key of device `number`."""
    return record_key(_STORE, f"d:{number:09}")


@dataclass(frozen=True)
class Copies:
    """States like the one `value`, in which `random` are the bytes that differ."""

    value: bytes
    random: tuple[bytes, ...]

    @classmethod
    def of(cls, events: int) -> Copies:
        """Of a device with so many events: a view, a click and a cart in turn."""
        log, random = PartitionLog(), [_SESSION.encode()]
        for minute in range(events):
            token = f"{minute:032}"
            same = {"session_id": _SESSION}
            made = (
                make_event(minute=minute, **same),
                click(minute, token, **same),
                cart(minute, f"{minute - 1:032}", **same),
            )[minute % 3]
            random += [token.encode()] if minute % 3 == 1 else []
            log.send(made)
        partition: PartitionState = log.assigned()
        log.run(partition)
        (value,) = log.state().values()
        device: Device = decode(value)
        for key, (_, content) in device.keys.items():
            random += [key, content]
        return cls(value, tuple(random))

    def states(self, seed: int) -> Iterator[bytes]:
        """One after the other; it never ends."""
        draw = Random(seed).randbytes  # noqa: S311  # no secret
        while True:
            value = self.value
            for old in self.random:
                # As text, the same number of bytes has half the randomness: hexadecimal digits.
                size = len(old)
                new = draw(size) if size in (8, 16) else draw(size // 2).hex().encode()
                value = value.replace(old, new)
            yield value
