"""`pipeline send`: event files over HTTP, each device's events in the order of the file.

Devices are spread over lanes with one request in flight each, so no device's events overtake each
other. A recorded request goes whole; loose events are gathered anew by lane, which leaves the
records the same: they are one per request and device.

No lane runs ahead of the others by more than a window of event time (`pace.py`): a file in order of
time makes no late events.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from pipeline.domain.identity import device_key
from pipeline.ingest.accept import MAX_EVENTS
from pipeline.printable import printable
from pipeline.replay.connection import SendConnection, SentRequest
from pipeline.replay.files import (
    USER_AGENT,
    BadLine,
    FileRequest,
    opened,
    read_requests,
)
from pipeline.replay.pacing import Pacing

LANES = 8
PATIENCE = timedelta(minutes=1)


class _Body(msgspec.Struct):
    events: list[msgspec.Raw]
    received_at: msgspec.Raw = msgspec.Raw(b"")


class _Event(msgspec.Struct):
    device_id: str | None = None
    session_id: str = ""
    timestamp: int | str = ""


_body = msgspec.json.Decoder(_Body)
_event = msgspec.json.Decoder(_Event)


def send(  # each is a choice of the command line's
    files: Iterable[str],
    url: str,
    tokens: Mapping[str, str],
    *,
    strict: bool = False,
    lanes: int = LANES,
    patience: timedelta = PATIENCE,
    max_events: int = MAX_EVENTS,
) -> int:
    """Send `files` to `url`; the exit code. Repeats what was not answered: at least once.

    `tokens` are by store id, "" for lines that name none. A bad line is told and left out, and
    makes the exit code 1 when `strict`. Gives up once one request has failed for `patience`.
    """
    paths = list(files)
    sent = SentRequest()
    roads = [SendConnection(url, tokens, sent, patience) for _ in range(lanes)]
    pace = Pacing()
    try:
        for path, found in _read(paths):
            if sent.failure:
                break
            if isinstance(found, BadLine):
                sent.refuse(path, found.line, found.reason)
            else:
                _dispatch(roads, pace, path, found, max_events)
    except OSError as error:
        sent.fail(f"{error.filename or 'a file'} cannot be read: {error.strerror or error}")
    except (EOFError, zlib.error) as error:
        sent.fail(f"a .gz file is damaged: {error}")
    for lane in roads:
        lane.close()
    sys.stdout.write(
        f"sent {sent.events} events in {sent.requests} requests; {sent.bad_lines} bad lines\n"
    )
    if sent.failure:
        sys.stderr.write(printable(f"send: {sent.failure}") + "\n")
    return 1 if sent.failure or (strict and sent.bad_lines) else 0


def _dispatch(
    roads: list[SendConnection], pace: Pacing, path: str, request: FileRequest, max_events: int
) -> None:
    body = _body.decode(request.body)
    events = [_event_of(raw) for raw in body.events]
    lanes = [_lane_of(event, request, roads) for event in events]
    if _is_loose(request, body, max_events):
        for event, lane, raw in zip(events, lanes, body.events, strict=True):
            if pace.begins_anew(event.timestamp):
                _wait(roads)
            lane.gather(path, request, bytes(raw))
        return
    # Each is asked, so that the window moves with the latest.
    is_new = [pace.begins_anew(event.timestamp) for event in events]
    is_shared = len(set(lanes)) > 1
    if any(is_new) or is_shared:
        _wait(roads)
    lane = lanes[0] if lanes else roads[0]
    lane.put(path, request, len(events))
    if is_shared:
        # Whole, and in its place among the events of each of its devices.
        lane.wait()


def _wait(roads: list[SendConnection]) -> None:
    for lane in roads:
        lane.wait()


def _lane_of(event: _Event, request: FileRequest, roads: list[SendConnection]) -> SendConnection:
    name = device_key(event.device_id, event.session_id)
    return roads[zlib.crc32(f"{request.store}/{name}".encode()) % len(roads)]


def _is_loose(request: FileRequest, body: _Body, max_events: int) -> bool:
    # A body that the door would refuse must reach it as it is.
    return (
        request.store is None
        and request.headers == {"user-agent": USER_AGENT}
        and not bytes(body.received_at)
        and 1 <= len(body.events) <= max_events
    )


def _event_of(raw: msgspec.Raw) -> _Event:
    try:
        return _event.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Without a device it is no valid event, so it has no order to keep.
        return _Event()


def _read(paths: list[str]) -> Iterator[tuple[str, FileRequest | BadLine]]:
    # Inflated bytes are not known beforehand: with such a file the bar only moves.
    is_plain = all(path != "-" and not path.endswith(".gz") for path in paths)
    total = sum(Path(path).stat().st_size for path in paths) if is_plain else None
    console = Console(stderr=True)
    progress = Progress(console=console, transient=True, disable=not console.is_terminal)
    with progress if console.is_terminal else nullcontext():
        task = progress.add_task("sending", total=total)
        for path in paths:
            with opened(path) as lines:
                heard = _heard(lines, progress, task)
                for found in read_requests(heard):
                    yield path, found


def _heard(lines: Iterable[bytes], progress: Progress, task: object) -> Iterator[bytes]:
    for line in lines:
        progress.update(task, advance=len(line))  # type: ignore[arg-type]
        yield line
