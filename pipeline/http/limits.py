"""What clients may take: time, memory and connections (decision 0023)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.http.connection import Connection
    from pipeline.http.exchange import Exchange
    from pipeline.http.parser import Reader

# Bytes of a request's objects: pipelined short requests take many times their own size.
OVERHEAD = 512


@dataclass(frozen=True)
class Limits:
    """`timeout`: seconds for a head and for a body; `idle_timeout`: seconds between two requests.

    `max_body_bytes`: the largest body; `max_bodies_bytes`: of all pending requests together;
    `max_connections`: open at the same time.
    """

    timeout: float
    idle_timeout: float
    max_body_bytes: int
    max_bodies_bytes: int
    max_connections: int


class BodyBudget:
    """Bytes of requests that are being read, wait, or are not durable yet: at most `most`.

    At the limit, the incomplete body that began first is refused; a complete one never is.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0
        """Bytes."""
        self.arriving: OrderedDict[Reader, None] = OrderedDict()
        """Oldest first."""

    def has_room(self, request: Exchange, size: int) -> bool:
        """Count `size` bytes more of `request`, if there is room for them."""
        while self.held + size > self._most:
            if not self.arriving:
                return False
            oldest, _ = self.arriving.popitem(last=False)
            oldest.evict()
        self.held += size
        request.weight += size
        return True

    def free(self, request: Exchange) -> None:
        """Count nothing of it any more."""
        self.held -= request.weight
        request.weight = 0


class ConnectionLimit:
    """At most `most` open connections.

    At the limit, a new one replaces the one whose client has let us wait the longest: first of
    those between two requests, then of the others. One that waits for our response stays.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Connection] = set()
        # Replaced or refused: no longer counted.
        self._closing: set[Connection] = set()
        self.idle: OrderedDict[Connection, None] = OrderedDict()
        """Between two requests; the longest wait first."""
        self.unfinished: OrderedDict[Connection, None] = OrderedDict()
        """Before or within a request, or with a response that the client does not read; likewise.

        New connections count here, not as idle: else clients that stop within a request would keep
        them out.
        """

    def enter(self, connection: Connection) -> bool:
        """Whether there is room for it; otherwise it has to end."""
        has_room = len(self._open) < self._most or self._has_evicted()
        (self._open if has_room else self._closing).add(connection)
        return has_room

    def _has_evicted(self) -> bool:
        for queue in (self.idle, self.unfinished):
            if queue:
                longest, _ = queue.popitem(last=False)
                self._open.remove(longest)
                self._closing.add(longest)
                longest.evict()
                return True
        return False

    def leave(self, connection: Connection) -> None:
        """It has ended."""
        self._open.discard(connection)
        self._closing.discard(connection)

    def __iter__(self) -> Iterator[Connection]:
        """All that are open, and those that are closing."""
        return iter((*self._open, *self._closing))
