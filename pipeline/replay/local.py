"""The whole business as one loop: files in, tables out, without a broker.

The best summary of the system: accept, answer, load. What Kafka adds is only that each of the
three can die and go on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipeline.domain.device import Device, forget
from pipeline.domain.outcomes import Origin, Outcome
from pipeline.domain.process import answer, read
from pipeline.domain.rules import Rules
from pipeline.ingest.accept import BadBodyError
from pipeline.ingest.intake import Intake
from pipeline.ingest.sender import Sender
from pipeline.replay.files import BadLine, FileRequest, opened, read_requests
from pipeline.warehouse.batch import LoadBatch
from pipeline.warehouse.database import DatabaseError, connect_live
from pipeline.warehouse.transaction import Ledger, Transactions

TOPIC_ID = "local"


@dataclass(slots=True)
class Replayed:
    """What became of the files: counts, and the lines that could not be read."""

    requests: int = 0
    rejected: int = 0
    bad_lines: list[tuple[str, BadLine]] = field(default_factory=list)


class Stream:
    """One partition's worth of the worker, in memory."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._digest = rules.digest()
        self._devices: dict[bytes, Device] = {}
        self._stream_time: int | None = None
        self._offset = 0

    def answer(self, key: bytes, value: bytes, *, appended_at: int) -> Outcome:
        """The outcome of the next record, by the rules alone."""
        outcome = answer(
            read(value, appended_at=appended_at),
            self._devices.setdefault(key, Device()),
            key=key,
            origin=Origin(TOPIC_ID, 0, self._offset),
            stream_time=self._stream_time,
            rules=self._rules,
            digest=self._digest,
        )
        self._offset += 1
        self._stream_time = outcome.stream_time_after
        return outcome

    def forget(self) -> None:
        """Drop what no rule can ask for any more (D4)."""
        if self._stream_time is None:
            return
        horizon = self._stream_time - self._rules.lateness_ms
        for key, device in list(self._devices.items()):
            forget(device, horizon=horizon, rules=self._rules)
            if device.is_empty():
                del self._devices[key]


def replay(
    paths: Iterable[str],
    *,
    database: Path,
    rules: Rules,
    store: str = "local",
    intake: Intake = Intake(),  # noqa: B008  # frozen
    batch_records: int = 20_000,
    clock: Callable[[], float] = time.time,
    progress: Callable[[int], None] = lambda _: None,
) -> Replayed:
    """Read `paths` in order into a new `database`; `progress` hears the bytes of each line.

    The file is there when all is in it: nothing is left of a run that failed. Raises
    `DatabaseError` when there is one already, OSError when a file cannot be read.
    """
    replayed = Replayed()
    with _new_database(database, rules) as connection:
        transactions = Transactions(connection)
        stream, batch, ledger = Stream(rules), LoadBatch(rules), Ledger({})
        received_at = int(clock() * 1000)
        for path, request in _requests(paths, progress):
            if isinstance(request, BadLine):
                replayed.bad_lines.append((path, request))
                continue
            try:
                accepted = intake.take(
                    request.body,
                    headers=request.headers,
                    sender=Sender(
                        request.store or store,
                        may_backfill=True,
                        timezone=request.timezone or "UTC",
                        is_trusted=request.is_trusted,
                    ),
                    received_at=received_at,
                )
            except BadBodyError as error:
                replayed.bad_lines.append((path, BadLine(request.line, str(error))))
                continue
            replayed.requests += 1
            replayed.rejected += len(accepted.rejected)
            for rejected in accepted.rejected:
                batch.add_rejected(rejected)
            for key, value in accepted.records:
                outcome = stream.answer(key, value, appended_at=received_at)
                ledger.accepts(outcome.origin)
                batch.add(outcome)
            if len(batch) >= batch_records:
                transactions.commit(batch)
                batch = LoadBatch(rules)
                stream.forget()
        transactions.commit(batch)
    return replayed


@contextmanager
def _new_database(path: Path, rules: Rules) -> Iterator[duckdb.DuckDBPyConnection]:
    if path.exists():
        raise DatabaseError(f"{path} is there already: name a new file")
    made = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with connect_live(made, rules) as connection:
            yield connection
        made.rename(path)
    finally:
        for left in (made, made.with_name(f"{made.name}.wal")):
            left.unlink(missing_ok=True)


def _requests(
    paths: Iterable[str], progress: Callable[[int], None]
) -> Iterator[tuple[str, FileRequest | BadLine]]:
    for path in paths:
        with opened(path) as lines:
            for request in read_requests(_heard(lines, progress)):
                yield path, request


def _heard(lines: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    for line in lines:
        progress(len(line))
        yield line
