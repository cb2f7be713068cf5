"""`pipeline send`: event files over HTTP, each device's events in the order of the file.

Devices are spread over lanes with one request in flight each, so no device's events overtake each
other. A recorded request goes whole; loose events are gathered anew by lane, which leaves the
records the same: they are one per request and device.
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
from pipeline.ingest.files import (
    USER_AGENT,
    BadLine,
    FileRequest,
    opened,
    read_requests,
)
from pipeline.printable import printable
from pipeline.send.lane import Lane, Sent

LANES = 8
PATIENCE = timedelta(minutes=1)


class _Body(msgspec.Struct):
    events: list[msgspec.Raw]
    received_at: msgspec.Raw = msgspec.Raw(b"")


class _Device(msgspec.Struct):
    device_id: str | None = None
    session_id: str = ""


_body = msgspec.json.Decoder(_Body)
_device = msgspec.json.Decoder(_Device)


def send(  # each is a choice of the command line's
    files: Iterable[str],
    url: str,
    tokens: Mapping[str, str],
    *,
    strict: bool = False,
    lanes: int = LANES,
    patience: timedelta = PATIENCE,
) -> int:
    """Send `files` to `url`; the exit code. Repeats what was not answered: at least once.

    `tokens` are by store id, "" for lines that name none. A bad line is told and left out, and
    makes the exit code 1 when `strict`. Gives up once one request has failed for `patience`.
    """
    paths = list(files)
    sent = Sent()
    roads = [Lane(url, tokens, sent, patience) for _ in range(lanes)]
    try:
        for path, found in _read(paths):
            if sent.failure:
                break
            if isinstance(found, BadLine):
                sent.refuse(path, found.line, found.reason)
            else:
                _dispatch(roads, path, found)
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


def _dispatch(roads: list[Lane], path: str, request: FileRequest) -> None:
    body = _body.decode(request.body)
    devices = [_device_of(raw) for raw in body.events]
    lanes = [roads[zlib.crc32(f"{request.store}/{name}".encode()) % len(roads)] for name in devices]
    if _is_loose(request, body):
        for lane, raw in zip(lanes, body.events, strict=True):
            lane.gather(path, request, bytes(raw))
    elif len(set(lanes)) > 1:
        # Whole, and in its place among the events of each of its devices.
        for lane in roads:
            lane.wait()
        lanes[0].put(path, request, len(devices))
        lanes[0].wait()
    else:
        lane = lanes[0] if lanes else roads[0]
        lane.put(path, request, len(devices))


def _is_loose(request: FileRequest, body: _Body) -> bool:
    # A body that the door would refuse must reach it as it is.
    return (
        request.store is None
        and request.headers == {"user-agent": USER_AGENT}
        and not bytes(body.received_at)
        and 1 <= len(body.events) <= MAX_EVENTS
    )


def _device_of(raw: msgspec.Raw) -> str:
    try:
        device = _device.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Without a device it is no valid event, so it has no order to keep.
        return ""
    return device_key(device.device_id, device.session_id)


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
