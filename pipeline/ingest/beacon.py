"""`POST /beacon`, as docs/contract.md says.

| case | answer |
|---|---|
| every event in a record or rejected, all of it durable | 204 |
| token missing, unknown or ended / origin not allowed | 401 / 403 |
| over the store's rate | 429 with Retry-After |
| body late / too large / no batch of events | 408 / 413 / 422 |
| not durable | 503 with Retry-After |
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from pipeline.config import Settings
from pipeline.ingest import body as bodies
from pipeline.ingest.accept import Accepted, BadBodyError, accept
from pipeline.ingest.answers import (
    ACCEPTED,
    CLOSE,
    METHODS,
    VARY,
    Answer,
    Headers,
    cors,
    refusal,
    said,
    send_answer,
)
from pipeline.ingest.deadline import Deadline
from pipeline.ingest.enrichment import EdgeHeaders, enrich, is_app
from pipeline.ingest.explain import Explained
from pipeline.ingest.limits import Limits, Rate, retry_after
from pipeline.ingest.metrics import Metrics
from pipeline.ingest.publisher import Publisher, UnavailableError
from pipeline.ingest.stores import Store, Stores

log = logging.getLogger(__name__)

# Of a request's own; what tells of it `EdgeHeaders` names.
READ = {"origin", "x-storefront-access-token", "content-length", "content-encoding"}
RETRY = (b"retry-after", b"1")
UNAUTHENTICATED = refusal(401, "Unauthenticated")
WRONG_ORIGIN = refusal(403, "Origin not allowed")
WRONG_METHOD = refusal(405, f"Use {METHODS}", (b"allow", METHODS.encode()))
LATE = refusal(408, "The body took too long", *CLOSE)
UNAVAILABLE = refusal(503, "Try again", RETRY)
STOPPING = refusal(503, "Try again", RETRY, *CLOSE)
FAILED = refusal(500, "It failed here", *CLOSE)


class BeaconEndpoint:
    """All that answers at `/beacon`."""

    def __init__(
        self,
        settings: Settings,
        *,
        stores: Stores,
        publisher: Publisher,
        clock: Callable[[], float],
        metrics: Metrics,
        explained: Explained | None,
    ) -> None:
        self._settings = settings
        self._edge = EdgeHeaders.of(settings)
        # A browser sends fifteen more.
        self._read_headers = {name.encode(): name for name in READ | self._edge.read()}
        self._deadline = Deadline(settings.body_timeout)
        self._stores = stores
        self._publisher = publisher
        self._clock = clock
        self._metrics = metrics
        self._explained = explained
        self._limits = Limits(Rate(settings.requests_per_second, settings.burst))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        now = self._clock()
        read = self._read_headers
        headers = {
            read[name]: value.decode("latin-1") for name, value in scope["headers"] if name in read
        }
        token = _token(scope, headers)
        store = self._stores.by_token(token, at=now) if token else None
        seen: Accepted | None = None
        answer = self._refused(scope["method"], headers, store, now)
        if answer is None and store is not None:
            answer, seen = await self._take(store, headers, receive, received_at=int(now * 1000))
        if answer is None:
            return  # nobody is left to answer
        self._metrics.requests[answer.status] += 1
        if self._explained is not None and scope["method"] == "POST":
            self._explained.note(
                answer, seen, store=store, received_at=int(now * 1000), secret=token
            )
        await send_answer(send, answer, self._cors(headers.get("origin"), store))

    def _refused(
        self, method: str, headers: Mapping[str, str], store: Store | None, now: float
    ) -> Answer | None:
        """The answer to what needs no body read."""
        if method == "OPTIONS":
            return ACCEPTED
        if method != "POST":
            return WRONG_METHOD
        if store is None:
            return UNAUTHENTICATED
        if "origin" in headers and not store.allows(headers["origin"]):
            return WRONG_ORIGIN
        store_id = store.sender.store_id
        wait = self._limits.wait(store_id, store.rate, now=now)
        if wait:
            self._metrics.limited[store_id] += 1
            return refusal(429, "Too many requests", (b"retry-after", retry_after(wait)))
        return None

    async def _take(
        self, store: Store, headers: Mapping[str, str], receive: Receive, *, received_at: int
    ) -> tuple[Answer | None, Accepted | None]:
        """The answer, None where the client went; and what was in the body, once it is known."""
        accepted: Accepted | None = None
        try:
            found = await self._read(store, headers, receive, received_at=received_at)
            if not isinstance(found, Accepted):
                return found, None
            accepted = found
            return await self._keep(accepted), accepted
        except asyncio.CancelledError:
            # Only the end of the process cancels: what is unfinished then was not acknowledged.
            return STOPPING, accepted
        except Exception:
            # An answer without CORS headers would hide from the page that there was one.
            log.exception("a request failed")
            return FAILED, accepted

    async def _read(
        self, store: Store, headers: Mapping[str, str], receive: Receive, *, received_at: int
    ) -> Accepted | Answer | None:
        settings = self._settings
        try:
            body = await bodies.read_body(
                receive, headers, limit=settings.max_body_bytes, deadline=self._deadline
            )
            self._metrics.body_bytes += len(body)
            return accept(
                body,
                sender=store.sender,
                request=enrich(headers, self._edge),
                is_app=is_app(headers),
                received_at=received_at,
            )
        except bodies.DisconnectedError:
            return None
        except bodies.BodyTimeoutError:
            return LATE
        except bodies.BodyTooLargeError:
            # Not closed at once: a client that is still sending would not see the answer.
            return refusal(413, f"The body is over {settings.max_body_bytes} bytes")
        except (BadBodyError, bodies.UnreadableBodyError) as error:
            return said(422, {"errors": [str(error)]})

    async def _keep(self, accepted: Accepted) -> Answer:
        metrics = self._metrics
        began = time.perf_counter()
        try:
            await self._publisher.publish(accepted)
        except UnavailableError as error:
            log.warning("beacons are answered 503: %s", error)
            return UNAVAILABLE
        finally:
            metrics.observe_ack(time.perf_counter() - began)
        for kind in accepted.types:
            metrics.events[kind] += 1
        for rejected in accepted.rejected:
            metrics.rejected[rejected.reason] += 1
        return ACCEPTED

    def _cors(self, origin: str | None, store: Store | None) -> Headers:
        if origin is None:
            return VARY
        # A preflight for a token in a header does not show the token: any store's origin will do.
        if not (store.allows(origin) if store else self._stores.any_allows(origin)):
            return VARY
        return cors(origin)


def _token(scope: Scope, headers: Mapping[str, str]) -> str:
    token = headers.get("x-storefront-access-token")
    return _token_in(scope["query_string"]) if token is None else token


# A store's pages all send the same few queries, and taking one apart costs more than a look-up;
# few, for a stranger's may be long.
@lru_cache(maxsize=256)
def _token_in(query: bytes) -> str:
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]
