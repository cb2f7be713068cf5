"""`pipeline ingest --explain`: the last events, and why each was refused.

For the one who wires up a shop, on the own machine. It holds event bodies, but no token of a
store: what was sent as one is struck out wherever it stands.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from pipeline.http.response import Response
from pipeline.ingest.accept import Accepted
from pipeline.ingest.problems import problems_of, taken_of
from pipeline.ingest.stores import Store

log = logging.getLogger(__name__)

MOST = 500
MOST_TEXT = 4096


class ExplainedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event, or a request refused as a whole (`event` is "" then).

    `time` is ISO 8601, `store` "" where the token is of none, `problems` one line for each field.
    `repaired` and `ignored` as in docs/contract.md, "Values as they come"; names without a meaning
    are ignored, too.
    """

    time: str
    store: str
    status: int
    reason: str
    problems: list[str]
    repaired: list[str]
    ignored: list[str]
    event: str


@dataclass(slots=True)
class BeaconRequest:
    """A request: its store if it has one, epoch ms, what came as its token; what was in it."""

    store: Store | None
    received_at: int
    secret: str
    accepted: Accepted | None = None


class _Refused(msgspec.Struct):
    error: str = ""
    errors: list[str] = []


class Explained:
    """The last entries."""

    def __init__(self) -> None:
        self._entries: deque[ExplainedEvent] = deque(maxlen=MOST)

    def entries(self) -> list[ExplainedEvent]:
        """Newest first."""
        return list(reversed(self._entries))

    def note(self, answer: Response, sent: BeaconRequest) -> None:
        """Keep one request's events. What fails here is logged: it must not cost an answer."""
        try:
            self._note(answer, sent)
        except Exception:
            log.exception("a request is not explained")

    def _note(self, answer: Response, sent: BeaconRequest) -> None:
        at = datetime.fromtimestamp(sent.received_at / 1000, UTC)
        moment = at.isoformat(timespec="milliseconds")
        store, accepted, secret = sent.store, sent.accepted, sent.secret
        store_id = store.sender.store_id if store else ""

        def keep(
            reason: str,
            problems: list[str],
            event: str,
            repaired: Sequence[str] = (),
            ignored: Sequence[str] = (),
        ) -> None:
            self._entries.append(
                ExplainedEvent(
                    time=moment.replace("+00:00", "Z"),
                    store=store_id,
                    status=answer.status,
                    reason=reason,
                    problems=[_without(problem, secret) for problem in problems],
                    repaired=[_without(repair, secret) for repair in repaired],
                    ignored=[_without(name, secret) for name in ignored],
                    event=_without(event, secret)[:MOST_TEXT],
                )
            )

        if accepted is None:
            body = msgspec.json.decode(answer.body, type=_Refused)
            keep("refused", [body.error] if body.error else body.errors, "")
            return
        taken = "accepted" if answer.status == 204 else "not durable"
        for text, event in taken_of(accepted):
            keep(taken, [], text, event.repaired(), event.ignored())
        for rejected in accepted.rejected:
            keep(rejected.reason, problems_of(rejected), rejected.raw)


def _without(text: str, secret: str) -> str:
    return text.replace(secret, "[token]") if secret else text
