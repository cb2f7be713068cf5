"""The HTTP door: `POST /beacon` as `docs/contract.md` says, and two questions for a supervisor.

| case | answer |
|---|---|
| every event in a record or rejected, all of it durable | 204 |
| token missing or unknown / origin not allowed | 401 / 403 |
| body late / too large / no batch of events | 408 / 413 / 422 |
| not durable | 503 with Retry-After |
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from urllib.parse import parse_qs

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pipeline.config import Settings
from pipeline.ingest.accept import BadBodyError, accept
from pipeline.ingest.body import (
    BodyTimeoutError,
    BodyTooLargeError,
    DisconnectedError,
    UnreadableBodyError,
    read_body,
)
from pipeline.ingest.enrichment import EdgeHeaders, enrich, is_app
from pipeline.ingest.publisher import Publisher, UnavailableError
from pipeline.ingest.stores import Store, Stores

METHODS = "POST, OPTIONS"
RETRY_AFTER = b"1"
# What parsing a User-Agent costs, and what remembering one takes, must have a bound.
MAX_USER_AGENT = 1024

Headers = list[tuple[bytes, bytes]]


def create_app(
    settings: Settings, *, stores: Stores, publisher: Publisher, clock: Callable[[], float]
) -> Starlette:
    """The app; it closes `publisher` when it ends. `clock` gives epoch seconds (T2)."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        publisher.start()
        yield
        publisher.close()

    async def livez(_request: HttpRequest) -> Response:
        return Response("alive\n", media_type="text/plain")

    async def readyz(_request: HttpRequest) -> Response:
        if await publisher.is_ready():
            return Response("ready\n", media_type="text/plain")
        return Response("neither Kafka nor the spool\n", status_code=503, media_type="text/plain")

    return Starlette(
        routes=[
            Route("/beacon", BeaconEndpoint(settings, stores, publisher, clock)),
            Route("/livez", livez),
            Route("/readyz", readyz),
        ],
        lifespan=lifespan,
    )


class BeaconEndpoint:
    """`/beacon`, straight on ASGI: a request object costs as much as all the rest."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        publisher: Publisher,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._edge = EdgeHeaders.of(settings)
        self._stores = stores
        self._publisher = publisher
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        headers["user-agent"] = headers.get("user-agent", "")[:MAX_USER_AGENT]
        store = self._store(scope, headers)
        cors = self._cors(headers.get("origin"), store)
        method = scope["method"]
        if method == "OPTIONS":
            await _answer(send, 204, cors)
        elif method != "POST":
            allow = (b"allow", METHODS.encode())
            await _answer(send, 405, [*cors, allow], {"error": f"Use {METHODS}"})
        elif store is None:
            await _answer(send, 401, cors, {"error": "Unauthenticated"})
        elif "origin" in headers and not store.allows(headers["origin"]):
            await _answer(send, 403, cors, {"error": "Origin not allowed"})
        else:
            await self._take(store, headers, cors, receive, send)

    async def _take(
        self,
        store: Store,
        headers: Mapping[str, str],
        cors: Headers,
        receive: Receive,
        send: Send,
    ) -> None:
        settings = self._settings
        received_at = int(self._clock() * 1000)
        # A body that is not read to its end stays in the connection, so that has to end, too.
        closing = [*cors, (b"connection", b"close")]
        try:
            body = await read_body(
                receive, headers, limit=settings.max_body_bytes, within=settings.body_timeout
            )
            accepted = accept(
                body,
                sender=store.sender,
                request=enrich(headers, self._edge),
                is_app=is_app(headers),
                received_at=received_at,
            )
            await self._publisher.publish(accepted)
        except DisconnectedError:
            return
        except BodyTimeoutError:
            await _answer(send, 408, closing, {"error": "The body took too long"})
        except BodyTooLargeError:
            error = f"The body is over {settings.max_body_bytes} bytes"
            await _answer(send, 413, closing, {"error": error})
        except (BadBodyError, UnreadableBodyError) as error:
            await _answer(send, 422, cors, {"errors": [str(error)]})
        except UnavailableError:
            waiting = [*cors, (b"retry-after", RETRY_AFTER)]
            await _answer(send, 503, waiting, {"error": "Try again"})
        else:
            await _answer(send, 204, cors)

    def _store(self, scope: Scope, headers: Mapping[str, str]) -> Store | None:
        token = headers.get("x-storefront-access-token")
        if token is None:
            token = _token_in(scope["query_string"])
        return self._stores.by_token(token) if token else None

    def _cors(self, origin: str | None, store: Store | None) -> Headers:
        headers: Headers = [(b"vary", b"Origin")]
        if origin is None:
            return headers
        # A preflight for a token in a header does not show the token: any store's origin will do.
        if not (store.allows(origin) if store else self._stores.any_allows(origin)):
            return headers
        return [
            *headers,
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-allow-methods", METHODS.encode()),
            (
                b"access-control-allow-headers",
                b"content-type, accept, x-storefront-access-token, x-requested-with, x-sdk-client",
            ),
            (b"access-control-max-age", b"86400"),
        ]


# A store's pages all send the same few queries, and taking one apart costs more than a look-up.
@lru_cache(maxsize=1024)
def _token_in(query: bytes) -> str:
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]


async def _answer(send: Send, status: int, headers: Headers, content: object = None) -> None:
    body = b""
    if content is not None:
        body = msgspec.json.encode(content)
        headers = [
            *headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
