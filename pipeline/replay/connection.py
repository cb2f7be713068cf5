"""A connection that sends one request at a time and repeats it until it is answered."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import urllib3

from pipeline.printable import printable
from pipeline.replay.files import EVENTS_PER_REQUEST, FileRequest

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
SECONDS = 30.0
# Between two lines about an ingest that is away or busy.
QUIET_SECONDS = 10.0
# Well below ingest's limit for a body, whatever the size of the events.
GATHERED_BYTES = 512 * 1024
# Headers that belong to the connection or to us; those of a recorded request are dropped.
OURS = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "origin", "te", "transfer-encoding", "upgrade"),
        "x-storefront-access-token",
    }
)


@dataclass(slots=True)
class SendReport:
    """What all connections have sent; `failure` is why nothing more is sent."""

    requests: int = 0
    events: int = 0
    bad_lines: int = 0
    without_token: int = 0
    failure: str = ""
    _quiet_until: float = 0.0
    _lacking: set[str | None] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, events: int) -> None:
        """Count a request that is durable, with its number of events."""
        with self._lock:
            self.requests += 1
            self.events += events

    def skip(self, path: str, line: int, reason: str) -> None:
        """Report a line that is skipped."""
        with self._lock:
            self.bad_lines += 1
            sys.stderr.write(printable(f"{path}:{line}: {reason}") + "\n")

    def lack_token(self, path: str, line: int, store: str | None) -> None:
        """Count a request that is not sent for want of its store's token; the first is reported."""
        token = f"no token for store {store}: --token {store}=TOKEN" if store else "no token"
        with self._lock:
            self.without_token += 1
            if store not in self._lacking:
                self._lacking.add(store)
                sys.stderr.write(printable(f"{path}:{line}: {token}") + "\n")

    def wait(self, url: str, why: str) -> None:
        """Say that a request is repeated, at most once in `QUIET_SECONDS`."""
        with self._lock:
            now = time.monotonic()
            if now >= self._quiet_until:
                self._quiet_until = now + QUIET_SECONDS
                sys.stderr.write(printable(f"send: waiting for {url}: {why}") + "\n")

    def summary(self) -> str:
        """One line."""
        without = f"; {self.without_token} requests without a token" if self.without_token else ""
        return (
            f"sent {self.events} events in {self.requests} requests; {self.bad_lines} bad lines"
            f"{without}"
        )

    def fail(self, failure: str) -> None:
        """Stop all connections; the first failure is the one reported."""
        with self._lock:
            self.failure = self.failure or failure


class SendConnection:
    """A connection, and the thread that sends on it."""

    def __init__(
        self, url: str, tokens: Mapping[str, str], report: SendReport, patience: timedelta
    ) -> None:
        self._url, self._tokens, self._report, self._patience = url, tokens, report, patience
        self._http = urllib3.PoolManager(maxsize=1, timeout=SECONDS, retries=False)
        self._queue: queue.Queue[tuple[str, FileRequest, int] | None] = queue.Queue(maxsize=16)
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._first: tuple[str, FileRequest] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def gather(self, path: str, request: FileRequest, raw: bytes) -> None:
        """Add a single event to the next request."""
        is_full = len(self._gathered) >= EVENTS_PER_REQUEST
        if is_full or self._gathered_bytes + len(raw) > GATHERED_BYTES:
            self._flush()
        self._first = self._first or (path, request)
        self._gathered.append(raw)
        self._gathered_bytes += len(raw)

    def _flush(self) -> None:
        if self._first is None or not self._gathered:
            return
        path, first = self._first
        body = b'{"events":[%b]}' % b",".join(self._gathered)
        request = FileRequest(first.line, body, first.store, first.headers)
        self._queue.put((path, request, len(self._gathered)))
        self._gathered, self._gathered_bytes, self._first = [], 0, None

    def put(self, path: str, request: FileRequest, events: int) -> None:
        """Send `request` unchanged, after the events gathered before it."""
        self._flush()
        self._queue.put((path, request, events))

    def wait(self) -> None:
        """Return when everything so far is answered, or after a failure."""
        self._flush()
        self._queue.join()

    def close(self) -> None:
        """Wait, then end the thread."""
        self.wait()
        self._queue.put(None)
        self._thread.join()
        self._http.clear()

    def _run(self) -> None:
        while (queued := self._queue.get()) is not None:
            # After a failure the queue is drained without sending, so that `wait` returns.
            if not self._report.failure:
                self._post(*queued)
            self._queue.task_done()

    def _post(self, path: str, request: FileRequest, events: int) -> None:
        token = self._tokens.get(request.store or "")
        if token is None:
            self._report.lack_token(path, request.line, request.store)
            return
        headers: dict[str, str] = {
            # Without this urllib3 would add its own where the recording has none.
            "user-agent": urllib3.util.SKIP_HEADER,
            **{name: value for name, value in request.headers.items() if name not in OURS},
            "content-type": "application/json",
            "x-storefront-access-token": token,
        }
        until, pause = time.monotonic() + self._patience.total_seconds(), FIRST_PAUSE
        while True:
            status, text = self._try(request.body, headers)
            if status == 204:
                self._report.count(events)
            elif status in (413, 422):
                self._report.skip(path, request.line, text)
            elif status in (401, 403, 404, 405):
                self._report.fail(f"{self._url} answers {status}: {text}")
            elif time.monotonic() + pause > until:
                self._report.fail(f"{self._url} does not accept {path}:{request.line}: {text}")
            elif not self._report.failure:
                self._report.wait(self._url, text)
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            return

    def _try(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        try:
            answer = self._http.request(
                "POST", self._url, body=body, headers=headers, redirect=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return 0, _in_words(error)
        except (UnicodeEncodeError, ValueError) as error:
            # A recorded header that HTTP does not allow.
            return 422, f"headers: {error}"
        return answer.status, answer.data.decode(errors="replace").strip()


def _in_words(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return f"no answer in {SECONDS:g} s"
    # urllib3's own words name its classes.
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause or error)
