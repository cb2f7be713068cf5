"""Which pages of other origins may send, and read the answer."""

from __future__ import annotations

from pipeline.bounded_cache import remembered
from pipeline.http.response import lines_of

METHODS = "POST, OPTIONS"

VARY = lines_of([(b"vary", b"Origin")])


# A stranger's may be as long as a head; a name of a host has at most 253 characters.
@remembered(most=1024, longest=300)
def cors(origin: str) -> bytes:
    """Lines of headers for an origin that may send."""
    return VARY + lines_of(
        [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-allow-methods", METHODS.encode()),
            (
                b"access-control-allow-headers",
                b"content-type, accept, x-storefront-access-token, x-requested-with, x-sdk-client",
            ),
            (b"access-control-max-age", b"86400"),
        ]
    )
