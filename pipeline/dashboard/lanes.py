"""How many answers of a kind are made at a time, so that a crowd of one kind delays no other."""

from __future__ import annotations

from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

Answered = Callable[[Request], Response]


class Lane:
    """Answers in `threads` threads of its own; up to `waiting` more requests wait for one.

    Threads, because DuckDB would block the loop; and of its own, because all that Starlette runs in
    threads shares forty. For one event loop.
    """

    def __init__(self, *, threads: int, waiting: int) -> None:
        self._threads = CapacityLimiter(threads)
        self._most = threads + waiting
        self._inside = 0

    async def answer(self, request: Request, *, answered: Answered, busy: Answered) -> Response:
        """What `answered` says, or, if the lane is full, `busy` at once."""
        if self._inside >= self._most:
            return busy(request)
        self._inside += 1
        try:
            return await to_thread.run_sync(answered, request, limiter=self._threads)
        finally:
            self._inside -= 1
