"""What ingest answers: values, and how they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import msgspec
from starlette.types import Send

METHODS = "POST, OPTIONS"

Headers = tuple[tuple[bytes, bytes], ...]

VARY: Headers = ((b"vary", b"Origin"),)
# What has not come in time is not waited for.
CLOSE: Headers = ((b"connection", b"close"),)
JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, what is said with it, and headers of its own."""

    status: int
    body: bytes = b""
    headers: Headers = ()


ACCEPTED = Answer(204)


def refusal(status: int, error: str, *headers: tuple[bytes, bytes]) -> Answer:
    """An answer that says why not."""
    return said(status, {"error": error}, *headers)


def said(status: int, content: object, *headers: tuple[bytes, bytes]) -> Answer:
    """An answer in JSON."""
    return Answer(status, msgspec.json.encode(content), ((b"content-type", JSON), *headers))


@lru_cache(maxsize=1024)
def cors(origin: str) -> Headers:
    """For an origin that may send."""
    return (
        *VARY,
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-allow-methods", METHODS.encode()),
        (
            b"access-control-allow-headers",
            b"content-type, accept, x-storefront-access-token, x-requested-with, x-sdk-client",
        ),
        (b"access-control-max-age", b"86400"),
    )


async def send_answer(send: Send, answer: Answer, headers: Headers = ()) -> None:
    """Send it, with `headers` before its own. ASGI wants a list of headers."""
    length = ((b"content-length", b"%d" % len(answer.body)),) if answer.body else ()
    every = [*headers, *answer.headers, *length]
    await send({"type": "http.response.start", "status": answer.status, "headers": every})
    await send({"type": "http.response.body", "body": answer.body})
