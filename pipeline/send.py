"""`pipeline send`: event files over HTTP, each device's events in the order of the file.

Devices are spread over lanes, one connection and one request in flight each, so a device's events
never overtake each other. What was recorded with its own time, store or headers goes as it is; a
loose batch is split by lane, which leaves the records the same: one per request and device.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zlib import crc32

import msgspec
from rich.console import Console
from rich.progress import Progress

from pipeline.domain.identity import device_key
from pipeline.ingest.accept import MAX_EVENTS
from pipeline.ingest.files import USER_AGENT, BadLine, FileRequest, opened, read_requests
from pipeline.lane import Answered, Lane, Piece

LANES = 8
PATIENCE = timedelta(minutes=1)


class _Body(msgspec.Struct):
    events: list[msgspec.Raw]
    received_at: msgspec.Raw = msgspec.Raw(b"")


class _Device(msgspec.Struct):
    device_id: str | None = None
    session_id: str | None = None


_body = msgspec.json.Decoder(_Body)
_device = msgspec.json.Decoder(_Device)


@dataclass(slots=True)
class _Sending:
    """What the lanes share: how it went, and whether to go on."""

    answered: Answered
    lanes: list[Lane] = field(default_factory=list)

    def give(self, file: str, request: FileRequest) -> None:
        body = _body.decode(request.body)
        devices = {_device_of(raw) for raw in body.events}
        if _is_loose(request, body):
            self._spread(file, request, body.events)
            return
        if len(devices) > 1:
            self.wait()
        lane = self._lane(request.store, min(devices, default=""))
        lane.give(Piece(file, request.line, request.body, len(body.events), request.store,
                        request.headers))  # fmt: skip
        if len(devices) > 1:
            self.wait()

    def _spread(self, file: str, request: FileRequest, events: list[msgspec.Raw]) -> None:
        shares: dict[Lane, list[bytes]] = {}
        for raw in events:
            lane = self._lane(request.store, _device_of(raw))
            shares.setdefault(lane, []).append(bytes(raw))
        for lane, share in shares.items():
            for batch in _batches(share):
                body = b'{"events":[%b]}' % b",".join(batch)
                lane.give(Piece(file, request.line, body, len(batch), request.store,
                                request.headers))  # fmt: skip

    def _lane(self, store: str | None, device: str) -> Lane:
        return self.lanes[crc32(f"{store}/{device}".encode()) % len(self.lanes)]

    def wait(self) -> None:
        for lane in self.lanes:
            lane.wait()


def send(
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
    makes the exit code 1 when `strict`. Gives up once a request has failed for `patience`.
    """
    paths = list(files)
    answered = Answered(stop=threading.Event())
    sending = _Sending(answered)
    sending.lanes = [Lane(url, tokens, answered, patience) for _ in range(lanes)]
    try:
        with _progress(paths) as (progress, task):
            for path in paths:
                with opened(path) as lines:
                    for found in read_requests(_heard(lines, progress, task)):
                        if answered.stop.is_set():
                            break
                        if isinstance(found, BadLine):
                            answered.refuse(path, found.line, found.reason)
                        else:
                            sending.give(path, found)
            sending.wait()
    except OSError as error:
        answered.fail(f"{error.filename or 'the file'} cannot be read: {error.strerror or error}")
    finally:
        for lane in sending.lanes:
            lane.close()
    sys.stdout.write(
        f"sent {answered.events} events in {answered.requests} requests;"
        f" {answered.bad_lines} bad lines\n"
    )
    if answered.failure:
        sys.stderr.write(f"send: {answered.failure}\n")
    return 1 if answered.failure or (strict and answered.bad_lines) else 0
