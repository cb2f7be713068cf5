"""Reading a request's body within its bounds: bytes as sent and inflated, and time."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from starlette.types import Receive

from pipeline.ingest.deadline import Deadline

# zlib's number for "gzip, with the largest window".
GZIP = 16 + zlib.MAX_WBITS
# Each copies what is left of the body: a mebibyte of empty ones would take seconds.
MAX_GZIP_MEMBERS = 16


class BodyTooLargeError(Exception):
    """413: over the limit, as sent or inflated."""


class BodyTimeoutError(Exception):
    """408: not there in time."""


class UnreadableBodyError(Exception):
    """422: not what its Content-Encoding says."""


class DisconnectedError(Exception):
    """The client went before it had sent everything: nobody is left to answer."""


async def read_body(
    receive: Receive, headers: Mapping[str, str], *, limit: int, deadline: Deadline
) -> bytes:
    """The whole body, inflated; at most `limit` bytes. Raises the errors above."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise BodyTooLargeError
    try:
        body = await deadline.wait(_received(receive, limit))
    except TimeoutError:
        raise BodyTimeoutError from None
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding == "gzip":
        return _inflated(body, limit)
    if encoding not in ("", "identity"):
        raise UnreadableBodyError("Content-Encoding must be gzip or none")
    return body


async def _received(receive: Receive, limit: int) -> bytes:
    # Nobody else bounds a chunked body.
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _inflated(body: bytes, limit: int) -> bytes:
    members: list[bytes] = []
    left = limit
    while body or not members:
        if len(members) == MAX_GZIP_MEMBERS:
            raise UnreadableBodyError(f"gzip of more than {MAX_GZIP_MEMBERS} members")
        inflater = zlib.decompressobj(GZIP)
        try:
            # One byte more than allowed is enough to know; the rest is never made.
            data = inflater.decompress(body, left + 1)
        except zlib.error:
            raise UnreadableBodyError("not gzip") from None
        left -= len(data)
        if left < 0:
            raise BodyTooLargeError
        if not inflater.eof:
            raise UnreadableBodyError("gzip ends early")
        members.append(data)
        body = inflater.unused_data
    return b"".join(members)
