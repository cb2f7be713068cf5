"""Decompresses a body, within limits."""

from __future__ import annotations

import zlib

# zlib's number for "gzip, with the largest window".
GZIP = 16 + zlib.MAX_WBITS
# Each copies the rest of the body: a mebibyte of empty members would take seconds.
MAX_MEMBERS = 16


class TooLargeError(Exception):
    """413: decompressed it is over the limit."""


class UnreadableError(Exception):
    """422: it is not what its Content-Encoding says."""


def inflated(body: bytes, encoding: str, *, limit: int) -> bytes:
    """`body`, sent with Content-Encoding `encoding`; at most `limit` bytes. Raises the errors."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise UnreadableError("Content-Encoding must be gzip or none")
    members: list[bytes] = []
    left = limit
    while body or not members:
        if len(members) == MAX_MEMBERS:
            raise UnreadableError(f"gzip of more than {MAX_MEMBERS} members")
        inflater = zlib.decompressobj(GZIP)
        try:
            # One byte more than allowed is enough to know; the rest is never made.
            data = inflater.decompress(body, left + 1)
        except zlib.error:
            raise UnreadableError("not gzip") from None
        left -= len(data)
        if left < 0:
            raise TooLargeError
        if not inflater.eof:
            raise UnreadableError("gzip ends early")
        members.append(data)
        body = inflater.unused_data
    return b"".join(members)
