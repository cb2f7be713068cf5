"""`pipeline send`: event files over HTTP, each device's events in the order of the file.

Devices are spread over connections with one request in flight each, so a device's events never
overtake each other. A recorded request is sent whole. Single events are gathered by connection;
the records stay the same, one per request and device.

No connection runs ahead of the others by more than a window of event time (`pacing.py`), so a file
in order of time produces no late events.
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
from pipeline.replay.connection import SendConnection, SendReport
from pipeline.replay.files import (
    USER_AGENT,
    BadLine,
    FileRequest,
    opened,
    read_requests,
)
from pipeline.replay.pacing import Pacing

CONNECTIONS = 8
PATIENCE = timedelta(minutes=1)


class _FileBody(msgspec.Struct):
    events: list[msgspec.Raw]
    received_at: msgspec.Raw = msgspec.Raw(b"")


class _Routing(msgspec.Struct):
    device_id: str | None = None
    session_id: str = ""
    timestamp: int | str = ""


_body = msgspec.json.Decoder(_FileBody)
_routing = msgspec.json.Decoder(_Routing)


def send(  # each is an option of the command line
    files: Iterable[str],
    url: str,
    tokens: Mapping[str, str],
    *,
    strict: bool = False,
    connections: int = CONNECTIONS,
    patience: timedelta = PATIENCE,
    max_events: int = MAX_EVENTS,
) -> int:
    """Send `files` to `url`, at least once. Returns the exit code.

    `tokens` are by store id, "" for lines without one; a request whose token is missing makes the
    exit code 1. A bad line is reported and skipped; with `strict` it makes the exit code 1. Gives
    up once a request has failed for `patience`.
    """
    paths = list(files)
    report = SendReport()
    pool = [SendConnection(url, tokens, report, patience) for _ in range(connections)]
    pacing = Pacing()
    try:
        for path, found in _read(paths):
            if report.failure:
                break
            if isinstance(found, BadLine):
                report.skip(path, found.line, found.reason)
            else:
                _dispatch(pool, pacing, path, found, max_events)
    except OSError as error:
        report.fail(f"{error.filename or 'a file'} cannot be read: {error.strerror or error}")
    except (EOFError, zlib.error) as error:
        report.fail(f"a .gz file is damaged: {error}")
    for connection in pool:
        connection.close()
    sys.stdout.write(f"{report.summary()}\n")
    if report.failure:
        sys.stderr.write(printable(f"send: {report.failure}") + "\n")
    is_short = report.failure or report.without_token
    return 1 if is_short or (strict and report.bad_lines) else 0


def _dispatch(
    pool: list[SendConnection], pacing: Pacing, path: str, request: FileRequest, max_events: int
) -> None:
    body = _body.decode(request.body)
    events = [_event_of(raw) for raw in body.events]
    connections = [_connection_of(event, request, pool) for event in events]
    if _is_gathered(request, body, max_events):
        for event, connection, raw in zip(events, connections, body.events, strict=True):
            if pacing.opens_window(event.timestamp):
                _wait(pool)
            connection.gather(path, request, bytes(raw))
        return
    # For every event, so that the window moves with the latest.
    is_new = [pacing.opens_window(event.timestamp) for event in events]
    is_shared = len(set(connections)) > 1
    if any(is_new) or is_shared:
        _wait(pool)
    connection = connections[0] if connections else pool[0]
    connection.put(path, request, len(events))
    if is_shared:
        # It must keep its place among the events of each of its devices.
        connection.wait()


def _wait(pool: list[SendConnection]) -> None:
    for connection in pool:
        connection.wait()


def _connection_of(
    event: _Routing, request: FileRequest, pool: list[SendConnection]
) -> SendConnection:
    name = device_key(event.device_id, event.session_id)
    return pool[zlib.crc32(f"{request.store}/{name}".encode()) % len(pool)]


def _is_gathered(request: FileRequest, body: _FileBody, max_events: int) -> bool:
    # A body that ingest would reject must reach it unchanged.
    return (
        request.store is None
        and request.headers == {"user-agent": USER_AGENT}
        and not bytes(body.received_at)
        and 1 <= len(body.events) <= max_events
    )


def _event_of(raw: msgspec.Raw) -> _Routing:
    try:
        return _routing.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Without a device it is not a valid event, so it has no order to keep.
        return _Routing()


def _read(paths: list[str]) -> Iterator[tuple[str, FileRequest | BadLine]]:
    # The size of a .gz file after decompression is unknown: then the bar shows no total.
    is_plain = all(path != "-" and not path.endswith(".gz") for path in paths)
    total = sum(Path(path).stat().st_size for path in paths) if is_plain else None
    console = Console(stderr=True)
    progress = Progress(console=console, transient=True, disable=not console.is_terminal)
    with progress if console.is_terminal else nullcontext():
        task = progress.add_task("sending", total=total)
        for path in paths:
            with opened(path) as lines:
                counted = _counted(lines, progress, task)
                for found in read_requests(counted):
                    yield path, found


def _counted(lines: Iterable[bytes], progress: Progress, task: object) -> Iterator[bytes]:
    for line in lines:
        progress.update(task, advance=len(line))  # type: ignore[arg-type]
        yield line
