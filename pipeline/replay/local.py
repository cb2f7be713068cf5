"""The whole pipeline as one loop: files in, tables out, without a broker.

It is the best summary of the system: accept, answer, load. With Kafka between them, each of the
three can fail and resume.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipeline.domain.rules import Rules
from pipeline.ingest.accept import BadBodyError
from pipeline.ingest.intake import Intake
from pipeline.ingest.sender import DEFAULT_ZONE
from pipeline.replay.files import BadLine, FileRequest, opened, read_requests
from pipeline.replay.memory_worker import MemoryWorker
from pipeline.warehouse.comments import comment
from pipeline.warehouse.database import DatabaseError, connect_live
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.summing import sum_all
from pipeline.warehouse.load.transaction import Ledger, Transactions
from pipeline.warehouse.publication import sign


@dataclass(slots=True)
class ReplayReport:
    """Counts of the requests and rejected events, and the unreadable lines."""

    requests: int = 0
    rejected: int = 0
    bad_lines: list[tuple[str, BadLine]] = field(default_factory=list)


def replay(
    paths: Iterable[str],
    *,
    database: Path,
    rules: Rules,
    store: str = "local",
    timezone: str = DEFAULT_ZONE,
    intake: Intake = Intake(),  # noqa: B008  # frozen
    batch_records: int = 20_000,
    clock: Callable[[], float] = time.time,
    progress: Callable[[int], None] = lambda _: None,
) -> ReplayReport:
    """Load `paths`, in order, into a new `database`.

    The file appears when it is complete; a failed replay leaves nothing behind. `progress` is
    called with the size of each line in bytes. Raises `DatabaseError` when the database exists
    already, OSError when a file cannot be read.
    """
    report = ReplayReport()
    with _new_database(database, rules) as connection:
        transactions = Transactions(connection)
        worker, batch, ledger = MemoryWorker(rules), LoadBatch(rules), Ledger({})
        received_at = int(clock() * 1000)
        for path, request in _requests(paths, progress):
            if isinstance(request, BadLine):
                report.bad_lines.append((path, request))
                continue
            try:
                accepted = intake.take(
                    request.body,
                    headers=request.headers,
                    sender=request.sender(store, timezone),
                    received_at=received_at,
                )
            except BadBodyError as error:
                report.bad_lines.append((path, BadLine(request.line, str(error))))
                continue
            report.requests += 1
            report.rejected += len(accepted.rejected)
            for rejected in accepted.rejected:
                batch.add_rejected(rejected)
            for key, value in accepted.records:
                outcome = worker.process(key, value, appended_at=received_at)
                ledger.accepts(outcome.origin)
                batch.add(outcome)
            if len(batch) >= batch_records:
                transactions.commit(batch)
                batch = LoadBatch(rules)
                worker.forget()
        transactions.commit(batch)
        sum_all(connection, transactions)
    return report


@contextmanager
def _new_database(path: Path, rules: Rules) -> Iterator[duckdb.DuckDBPyConnection]:
    if path.exists():
        raise DatabaseError(f"{path} exists already: choose another name")
    if not path.parent.is_dir():
        raise DatabaseError(f"there is no folder {path.parent}: make it, or choose another path")
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with connect_live(fresh, rules) as connection:
            yield connection
            comment(connection)
            sign(connection)
        fresh.rename(path)
    finally:
        for leftover in (fresh, fresh.with_name(f"{fresh.name}.wal")):
            leftover.unlink(missing_ok=True)


def _requests(
    paths: Iterable[str], progress: Callable[[int], None]
) -> Iterator[tuple[str, FileRequest | BadLine]]:
    for path in paths:
        with opened(path) as lines:
            for request in read_requests(_counted(lines, progress)):
                yield path, request


def _counted(lines: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    for line in lines:
        progress(len(line))
        yield line
