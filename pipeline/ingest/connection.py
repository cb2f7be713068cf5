"""A client's connection: uvicorn's HTTP/1.1, with the bounds on time and memory that it lacks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# The parser itself would take a header of any length; a browser's cookies may be long.
MAX_HEAD_BYTES = 32 * 1024


class Connection(HttpToolsProtocol):
    """Ended when a head, or the rest of a body that nobody reads, is not there `within` seconds.

    A body that is being read has `read_body`'s own deadline, and a connection between two requests
    uvicorn's. A head over `MAX_HEAD_BYTES` is answered 431.
    """

    within = 10.0

    @classmethod
    def limited(cls, within: timedelta) -> type[Connection]:
        """The same with a deadline, as uvicorn wants it: a class."""
        return type(cls.__name__, (cls,), {"within": within.total_seconds()})

    _deadline: asyncio.TimerHandle | None = None
    _is_in_head = False
    _is_in_body = False
    _head_bytes = 0
    _may_be_long = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client that says nothing is given as long as a head."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client, or the deadline, has ended it."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes: of a head, a body, or between two requests."""
        was_in_head = self._is_in_head
        self._may_be_long = was_in_head or len(data) > MAX_HEAD_BYTES
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._head_bytes = self._head_bytes + len(data) if was_in_head else 0
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        # Empty lines between requests are no head, and would put uvicorn's own timer off for ever.
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._arm()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._is_in_head = True

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._is_in_head = False
        self._is_in_body = True
        self._disarm()
        if self._may_be_long and self._is_long():
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        super().on_headers_complete()

    def _is_long(self) -> bool:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return size > MAX_HEAD_BYTES

    def on_body(self, body: bytes) -> None:
        """A part of a body; of a head that was refused there is none."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._is_in_body = False
        self._disarm()
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Answered. A client that is still sending would not see the answer if we hung up."""
        super().on_response_complete()
        if self._is_in_body and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._arm()

    def _arm(self) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(self.within, self._late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            % (status, status.phrase.encode())
        )
        self.transport.close()
