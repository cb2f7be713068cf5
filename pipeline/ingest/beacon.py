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

import logging
import time
from collections.abc import Callable
from functools import lru_cache, partial
from urllib.parse import unquote_plus
from uuid import uuid4

import msgspec

from pipeline.config import Settings
from pipeline.delivery.publisher import Publisher, Record
from pipeline.http.exchange import Exchange, OnBody
from pipeline.http.inflate import TooLargeError, UnreadableError, inflated
from pipeline.http.response import UNAVAILABLE, Response, error_response, json_response, too_large
from pipeline.ingest.accept import Accepted, BadBodyError
from pipeline.ingest.cors import METHODS, VARY, cors
from pipeline.ingest.explain import BeaconRequest, Explained
from pipeline.ingest.intake import Intake
from pipeline.ingest.metrics import Counts
from pipeline.ingest.rate_limit import Rate, RateLimiter, retry_after
from pipeline.ingest.stores import Store, Stores
from pipeline.topics import Rejected, Topics, topics

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode

# The headers that ingest itself acts on. A repeated one is refused: a proxy might use the other.
READ = frozenset({"origin", "x-storefront-access-token", "content-encoding"})
# A stranger's may be as long as a head; so much of it is read for a token.
LONGEST_QUERY = 1024
ACCEPTED = Response(204)
UNAUTHENTICATED = error_response(401, "Unauthenticated")
WRONG_ORIGIN = error_response(403, "Origin not allowed")
WRONG_METHOD = error_response(405, f"Use {METHODS}", (b"allow", METHODS.encode()))


class BeaconEndpoint:
    """All that answers at `/beacon`."""

    def __init__(
        self,
        settings: Settings,
        *,
        stores: Stores,
        publisher: Publisher,
        clock: Callable[[], float],
        counts: Counts,
        explained: Explained | None,
    ) -> None:
        self._limit = settings.max_body_bytes
        self._too_large = too_large(self._limit)
        self._intake = Intake.of(settings)
        # A browser sends fifteen more.
        self.reads = self._intake.edge.read() | READ
        self.once = READ
        self._topics = topics(settings)
        self._stores = stores
        self._publisher = publisher
        self._clock = clock
        self._counts = counts
        self._explained = explained
        self._limits = RateLimiter(Rate(settings.requests_per_second, settings.burst))

    def begin(self, exchange: Exchange) -> OnBody | None:
        """See `Handler`."""
        now = self._clock()
        headers = exchange.headers
        token = token_of(exchange)
        store = self._stores.by_token(token, at=now) if token else None
        sent = BeaconRequest(store, received_at=int(now * 1000), secret=token)
        exchange.extra_headers = self._cors(headers.get("origin"), store)
        exchange.on_response = partial(self._count, sent)
        if exchange.method == "OPTIONS":
            exchange.reply(ACCEPTED)
        elif exchange.method != "POST":
            exchange.reply(WRONG_METHOD)
        elif store is None:
            exchange.reply(UNAUTHENTICATED)
        elif "origin" in headers and not store.allows(headers["origin"]):
            exchange.reply(WRONG_ORIGIN)
        elif wait := self._limits.wait(store.sender.store_id, store.rate, now=now):
            self._counts.limited[store.sender.store_id] += 1
            header = (b"retry-after", retry_after(wait))
            exchange.reply(error_response(429, "Too many requests", header))
        else:
            return partial(self._take, store, sent)
        return None

    def _take(self, store: Store, sent: BeaconRequest, exchange: Exchange, body: bytes) -> None:
        """Validate, and answer once all of it is durable."""
        headers = exchange.headers
        try:
            length = len(body)
            body = inflated(body, headers.get("content-encoding", ""), limit=self._limit)
            if len(body) > length and not exchange.has_room(len(body) - length):
                exchange.reply(UNAVAILABLE)
                return
            self._counts.body_bytes += len(body)
            sent.accepted = self._intake.take(
                body, headers=headers, sender=store.sender, received_at=sent.received_at
            )
            identify(sent.accepted.rejected)
        except TooLargeError:
            exchange.reply(self._too_large)
        except (BadBodyError, UnreadableError) as error:
            exchange.reply(json_response(422, {"errors": [str(error)]}))
        else:
            on_durable = partial(self._kept, exchange, sent.accepted, time.perf_counter())
            self._publisher.publish(records_of(sent.accepted, self._topics), on_durable)

    def _kept(
        self, exchange: Exchange, accepted: Accepted, began: float, trouble: object | None
    ) -> None:
        """All of it is durable, or, for some `trouble`, perhaps not."""
        counts = self._counts
        counts.observe_ack(time.perf_counter() - began)
        if trouble is not None:
            log.warning("beacons are answered 503: %s", trouble)
            exchange.reply(UNAVAILABLE)
            return
        for kind in accepted.types:
            counts.events[kind] += 1
        for rejected in accepted.rejected:
            counts.rejected[rejected.reason] += 1
        exchange.reply(ACCEPTED)

    def _count(self, sent: BeaconRequest, exchange: Exchange, answer: Response) -> None:
        """Count the response."""
        self._counts.requests[answer.status] += 1
        if self._explained is not None and exchange.method == "POST":
            self._explained.note(answer, sent)

    def _cors(self, origin: str | None, store: Store | None) -> bytes:
        if origin is None:
            return VARY
        # A preflight for a token in a header does not show the token: any store's origin will do.
        if not (store.allows(origin) if store else self._stores.any_allows(origin)):
            return VARY
        return cors(origin)


def records_of(accepted: Accepted, topics: Topics) -> list[Record]:
    """What has to be durable before the request is answered 204."""
    beacons, rejected = topics.beacons.name, topics.rejected.name
    return [
        *(Record(beacons, key, value) for key, value in accepted.records),
        *(Record(rejected, one.store_id.encode(), _encode(one)) for one in accepted.rejected),
    ]


def identify(rejected: list[Rejected]) -> None:
    """Give the refused events of one request its id: what is sent twice is counted once."""
    if rejected:
        request_id = uuid4().hex
        for each in rejected:
            each.request_id = request_id


def token_of(exchange: Exchange) -> str:
    """The token in the header, else in the query; empty where there is none."""
    token = exchange.headers.get("x-storefront-access-token")
    return _token_in(exchange.query[:LONGEST_QUERY]) if token is None else token


# A store's pages all send the same few queries, and taking one apart costs more than a look-up.
@lru_cache(maxsize=256)
def _token_in(query: bytes) -> str:
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if name == b"token" and value:
            return unquote_plus(value.decode("latin-1"))
    return ""
