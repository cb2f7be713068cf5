"""The connections of a server: at most so many, and which one gives way to the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Guest(Protocol):
    """A connection that takes a place."""

    def give_way(self) -> None:
        """Another one needs its place: end at once."""


G = TypeVar("G", bound=Guest)


class ConnectionLimit(Generic[G]):
    """At most `most` open connections.

    Where all are taken, the one whose client has let us wait the longest gives way to the next:
    first of those between two requests, then of the others. One that waits for an answer of
    ours never does.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[G] = set()
        # They end, and have no place any more.
        self._leaving: set[G] = set()
        self.resting: OrderedDict[G, None] = OrderedDict()
        """Between two requests; the longest wait first."""
        self.unfinished: OrderedDict[G, None] = OrderedDict()
        """Before the first or amid one, or with an answer that the client does not take; likewise.

        Were a new one among those that rest, clients that stop amid a request would keep it out.
        """

    def enter(self, guest: G) -> bool:
        """Whether there is a place for it; else it has to end."""
        has_place = len(self._taken) < self._most or self._has_made_room()
        (self._taken if has_place else self._leaving).add(guest)
        return has_place

    def _has_made_room(self) -> bool:
        for line in (self.resting, self.unfinished):
            if line:
                guest, _ = line.popitem(last=False)
                self._taken.remove(guest)
                self._leaving.add(guest)
                guest.give_way()
                return True
        return False

    def leave(self, guest: G) -> None:
        """It has ended."""
        self._taken.discard(guest)
        self._leaving.discard(guest)

    def __iter__(self) -> Iterator[G]:
        """All that are open, also those that are leaving."""
        return iter((*self._taken, *self._leaving))
