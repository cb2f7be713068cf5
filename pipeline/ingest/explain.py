"""`pipeline ingest --explain`: the last events that came, and why each was refused.

For the one who wires up a shop, on the own machine. It holds event bodies, but no token of a
store: what was sent as one is struck out wherever it stands.
"""

from __future__ import annotations

import ipaddress
import logging
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from pipeline.domain.catalog import REQUIRED
from pipeline.domain.events import Beacon
from pipeline.http.response import Answer
from pipeline.ingest.accept import Accepted
from pipeline.ingest.stores import Store
from pipeline.ingest.validate import Refusal, parse, validate
from pipeline.sockets import bare
from pipeline.topics import Rejected

log = logging.getLogger(__name__)

MOST = 500
MOST_TEXT = 4096


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An event, or a request refused as a whole (`event` is "" then).

    `time` is ISO 8601, `store` "" where the token is of none, `problems` one line for each field.
    """

    time: str
    store: str
    status: int
    reason: str
    problems: list[str]
    event: str


@dataclass(slots=True)
class Sent:
    """A request: its store if it has one, epoch ms, what came as its token; what was in it."""

    store: Store | None
    received_at: int
    secret: str
    accepted: Accepted | None = None


class _Typed(msgspec.Struct):
    event_type: str = ""
    raw: str = ""


class _Refused(msgspec.Struct):
    error: str = ""
    errors: list[str] = []


class Explained:
    """The last entries, newest first. `anywhere`: shown under any name of this machine."""

    def __init__(self, *, anywhere: bool = False) -> None:
        self._anywhere = anywhere
        self._entries: deque[Entry] = deque(maxlen=MOST)

    def entries(self) -> list[Entry]:
        """Newest first."""
        return list(reversed(self._entries))

    def is_for(self, host: str) -> bool:
        """Whether a request to `host` (a Host header) may see them."""
        name = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("]") else host.strip("[]")
        return self._anywhere or is_loopback(name)

    def note(self, answer: Answer, sent: Sent) -> None:
        """Keep one request's events. What fails here is logged: it must not cost an answer."""
        try:
            self._note(answer, sent)
        except Exception:
            log.exception("a request is not explained")

    def _note(self, answer: Answer, sent: Sent) -> None:
        at = datetime.fromtimestamp(sent.received_at / 1000, UTC)
        moment = at.isoformat(timespec="milliseconds")
        store, accepted, secret = sent.store, sent.accepted, sent.secret
        store_id = store.sender.store_id if store else ""

        def keep(reason: str, problems: list[str], event: str) -> None:
            self._entries.append(
                Entry(
                    time=moment.replace("+00:00", "Z"),
                    store=store_id,
                    status=answer.status,
                    reason=reason,
                    problems=[_without(problem, secret) for problem in problems],
                    event=_without(event, secret)[:MOST_TEXT],
                )
            )

        if accepted is None:
            body = msgspec.json.decode(answer.body, type=_Refused)
            keep("refused", [body.error] if body.error else body.errors, "")
            return
        taken = "accepted" if answer.status == 204 else "not durable"
        for _, value in accepted.records:
            for event in msgspec.json.decode(value, type=Beacon).events:
                keep(taken, [], msgspec.json.decode(event, type=_Typed).raw)
        for rejected in accepted.rejected:
            may_backfill = store is not None and store.sender.may_backfill
            keep(rejected.reason, problems_of(rejected, may_backfill=may_backfill), rejected.raw)


# In place of what an event cannot be without, so that the rest of it can be looked at.
_STAND_INS: dict[str, object] = {"event_type": "search", "session_id": "x", "timestamp": 0}


def problems_of(rejected: Rejected, *, may_backfill: bool) -> list[str]:
    """Everything that is wrong with an event, not only what it was refused for."""
    try:
        event = msgspec.json.decode(rejected.raw, type=dict[str, object])
        found = _wrong(event) + _missing(event)
    except (msgspec.DecodeError, RecursionError):
        return [rejected.detail]
    if not found:
        try:
            validate(rejected.raw, received_at=rejected.received_at, may_backfill=may_backfill)
        except Refusal as refusal:
            found.append(refusal.detail)
    first = rejected.detail
    return list(dict.fromkeys([first, *(one for one in found if not _says(first, one))]))


def _says(first: str, other: str) -> bool:
    """Whether both are about the same field, where one line is enough."""
    return first.split(":", 1)[0] == other.split(":", 1)[0]


def _wrong(event: dict[str, object]) -> list[str]:
    """What is wrong with single fields: each, once told, is taken out, until the rest is valid."""
    rest, found = dict(event), list[str]()
    while True:
        try:
            parse(msgspec.json.encode(rest).decode())
        except Refusal as refusal:
            found.append(refusal.detail)
            name = refusal.field.partition(".")[0]
            if name in _STAND_INS:
                rest[name] = _STAND_INS[name]
            elif rest.pop(name, None) is None:
                return found
        else:
            return found


def _missing(event: dict[str, object]) -> list[str]:
    """Fields that the event's type requires and that are not there at all."""
    kind = event.get("event_type")
    return [
        f"{names.replace('|', ' or ')}: required by {kind}"
        for names in (REQUIRED.get(kind, ()) if isinstance(kind, str) else ())
        if all(event.get(name) is None for name in names.split("|"))
    ]


def _without(text: str, secret: str) -> str:
    return text.replace(secret, "[token]") if secret else text


def is_loopback(host: str) -> bool:
    """Whether `host` means this machine and no other."""
    try:
        return host == "localhost" or ipaddress.ip_address(bare(host)).is_loopback
    except ValueError:
        return False
