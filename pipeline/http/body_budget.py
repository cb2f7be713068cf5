"""What all requests in hand hold together: so many bytes at most, and which gives way."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

# Of a request beside its bytes: a pipe full of the shortest ones would take many times its size.
EACH = 512


class Weighed(Protocol):
    """A request. `weight`: bytes that are counted of it."""

    weight: int


class Arriving(Protocol):
    """Reads a body."""

    def give_way(self) -> None:
        """Another one needs the room: refuse the request, and free what it holds."""


class BodyBudget:
    """Bytes of requests that are read, wait, or are not durable yet: at most `most`.

    Where there is no room, the body that has been on its way the longest gives way; a whole one
    never does.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0
        """Bytes."""
        self.arriving: OrderedDict[Arriving, None] = OrderedDict()
        """In the order in which they began."""

    def has_room(self, request: Weighed, size: int) -> bool:
        """Count `size` bytes more of `request`, if there is room for them."""
        while self.held + size > self._most:
            if not self.arriving:
                return False
            oldest, _ = self.arriving.popitem(last=False)
            oldest.give_way()
        self.held += size
        request.weight += size
        return True

    def free(self, request: Weighed) -> None:
        """It holds nothing more."""
        self.held -= request.weight
        request.weight = 0
