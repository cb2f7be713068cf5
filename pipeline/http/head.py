"""What a head says of its request, beside what the parser makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

import httptools

from pipeline.bounded_cache import remembered

# What is read of every head, whatever the handler reads; each may stand once.
OWN = frozenset({"content-length", "transfer-encoding", "expect", "host"})


def length_of(headers: Mapping[str, str]) -> bytes | None:
    """The header that says where the body ends; None where there is no body."""
    for name in ("transfer-encoding", "content-length"):
        value = headers.get(name, "0")
        if value != "0":
            return f"{name}: {value}".encode("latin-1")
    return None


# A shop's pages ask for few; a stranger's may be as long as a head.
@remembered(most=256, longest=1024)
def target_of(url: bytes) -> tuple[str, bytes]:
    """The path, unquoted, and the query."""
    path: bytes
    if url.startswith(b"/"):
        path, _, query = url.partition(b"#")[0].partition(b"?")
    else:
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            path, query = url, b""
        else:
            path, query = parsed.path or b"/", parsed.query or b""
    return unquote(path.decode("latin-1")), query
