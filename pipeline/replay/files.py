"""Reads event files: an event or a recorded request per line; plain, .gz, or `-` for stdin."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from pipeline.ingest.accept import mended
from pipeline.ingest.deep import TOO_DEEP, may_be_deep, without_deep
from pipeline.ingest.sender import DEFAULT_ZONE, Sender, checked_zone

# For lines without headers, which may be any visitor's: a browser's, not a server's (P1).
USER_AGENT = "Mozilla/5.0 (compatible; pipeline-replay/1)"
EVENTS_PER_REQUEST = 50
# Levels of nesting left for the body around an event and for Python's own calls.
DEPTH_MARGIN = 100


@dataclass(frozen=True)
class FileRequest:
    """A request of a file: its JSON body, its store, and its headers.

    `timezone`, `is_trusted` and `needs_confirmation` are what the stores file said of the store and
    its token (T10, A11).
    """

    line: int
    body: bytes
    store: str | None = None
    headers: dict[str, str] = field(default_factory=lambda: {"user-agent": USER_AGENT})
    timezone: str | None = None
    is_trusted: bool = False
    needs_confirmation: bool = False

    def sender(self, store: str, timezone: str = DEFAULT_ZONE) -> Sender:
        """Who sends it, with the right to backfill; by default `store` in `timezone`."""
        return Sender(
            self.store or store,
            may_backfill=True,
            timezone=self.timezone or timezone,
            is_trusted=self.is_trusted,
            needs_confirmation=self.needs_confirmation,
        )


@dataclass(frozen=True)
class BadLine:
    """A line that is neither an event nor a request, and the reason."""

    line: int
    reason: str


# With `Raw | None` msgspec would lose the text.
_ABSENT = msgspec.Raw(b"")


class _RecordedRequest(msgspec.Struct):
    events: list[msgspec.Raw]
    received_at: msgspec.Raw = _ABSENT
    store: str | None = None
    headers: dict[str, str] | None = None
    timezone: str | None = None
    is_trusted: bool = False
    needs_confirmation: bool = False


class _Line(msgspec.Struct):
    events: msgspec.Raw = _ABSENT


_recorded = msgspec.json.Decoder(_RecordedRequest)
_line = msgspec.json.Decoder(_Line)
_anything = msgspec.json.Decoder(msgspec.Raw)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """The file's bytes, inflated. Raises OSError."""
    if path == "-":
        yield sys.stdin.buffer
    elif path.endswith(".gz"):
        with gzip.open(path) as file:
            yield file  # type: ignore[misc]
    else:
        with Path(path).open("rb") as file:
            yield file


def read_requests(lines: Iterable[bytes]) -> Iterator[FileRequest | BadLine]:
    """The requests of a file's lines, in order. Fifty single events make one request."""
    gathered: list[bytes] = []
    first = 0
    for number, text in enumerate(lines, start=1):
        stripped = text.strip()
        if not stripped:
            continue
        try:
            stripped, recorded, deep = _decoded(stripped)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadLine(number, str(error))
            continue
        except RecursionError:
            yield BadLine(number, TOO_DEEP)
            continue
        if recorded is None:
            first = first if gathered else number
            gathered.append(stripped)
        if gathered and (recorded is not None or len(gathered) == EVENTS_PER_REQUEST):
            yield FileRequest(first, _body(gathered))
            gathered = []
        for index in deep:
            yield BadLine(number, f"events.{index}: {TOO_DEEP}")
        if recorded is not None:
            yield _request(number, recorded)
    if gathered:
        yield FileRequest(first, _body(gathered))


def _decoded(line: bytes) -> tuple[bytes, _RecordedRequest | None, list[int]]:
    """The repaired line, its request, and the positions of the events left out of the request.

    The request is None for a single event. Events that are nested too deep are left out.
    """
    line = mended(line)
    try:
        return line, _found(line), []
    except RecursionError:
        shallow, deep = without_deep(line)
        recorded = _found(shallow)
        if recorded is None:
            raise
        places = [place for place, raw in enumerate(recorded.events) if bytes(raw) in deep]
        recorded.events = [raw for raw in recorded.events if bytes(raw) not in deep]
        return line, recorded, places


def _found(line: bytes) -> _RecordedRequest | None:
    if may_be_deep(line):
        # It will be parsed again inside a body, which adds levels.
        _anything.decode(b"[" * DEPTH_MARGIN + line + b"]" * DEPTH_MARGIN)
    return _recorded.decode(line) if _line.decode(line).events != _ABSENT else None


def _request(number: int, recorded: _RecordedRequest) -> FileRequest | BadLine:
    if recorded.timezone is not None:
        try:
            checked_zone(recorded.timezone)
        except ValueError as error:
            return BadLine(number, f"timezone: {error}")
    body = _body([bytes(raw) for raw in recorded.events])
    if recorded.received_at != _ABSENT:
        body = b'%b,"received_at":%b}' % (body[:-1], bytes(recorded.received_at))
    headers = {name.lower(): value for name, value in (recorded.headers or {}).items()}
    if recorded.headers is None:
        headers = {"user-agent": USER_AGENT}
    return FileRequest(
        number,
        body,
        recorded.store,
        headers,
        recorded.timezone,
        recorded.is_trusted,
        recorded.needs_confirmation,
    )


def _body(events: list[bytes]) -> bytes:
    return b'{"events":[%b]}' % b",".join(events)
