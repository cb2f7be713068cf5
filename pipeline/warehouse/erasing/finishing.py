"""Leaves nothing of erased devices in any file, once their rows are gone from the tables.

The live database is written again, a snapshot of it published, and what else may hold their rows is
deleted: snapshots of earlier days, and files of the archive that are named no more. Only then is an
erasure finished. A kill anywhere leaves it unfinished: the next loader begins anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.cause import cause
from pipeline.warehouse.erasing.receipts import Receipt
from pipeline.warehouse.snapshots.publish import PublishError, SnapshotPublisher

log = logging.getLogger(__name__)

# It takes at most one part in so many of the time, and not more than once in so many seconds.
PARTS = 10
PAUSE = 10.0


# Not finished, and no row is left: a process that erases before a day may have been killed midway.
_GONE = (
    "finished_at IS NULL"
    " AND (before IS NULL OR NOT EXISTS (FROM events WHERE occurred_at < before))"
)


class Finishing:
    """When erasures are finished: at once, but many at a time if there are many."""

    def __init__(
        self, live: Path, *, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._live = live
        self._pause = pause
        self._clock = clock
        self._due = float("-inf")
        self._error = ""
        self.is_needed = False

    def look(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Find out whether the database has erasures that are not finished."""
        ((self.is_needed,),) = connection.execute(
            f"SELECT EXISTS (FROM erasures WHERE {_GONE})"
        ).fetchall()

    def is_due(self) -> bool:
        """Whether it is time to finish what there is."""
        return self.is_needed and self._clock() >= self._due

    def attempt(self, work: Callable[[], None]) -> bool:
        """Whether `work` succeeded. A full disk is logged, and it is due again later."""
        began = self._clock()
        try:
            work()
        except (OSError, duckdb.IOException, duckdb.OutOfMemoryException, PublishError) as error:
            reason = cause(error)
            if reason != self._error:  # once, not each time
                log.error("erasures are not finished: %s", reason)  # noqa: TRY400  # one line
            self._error = reason
            return False
        finally:
            now = self._clock()
            self._due = max(self._due, now + max(self._pause, PARTS * (now - began)))
        return True

    def finish(
        self,
        connection: duckdb.DuckDBPyConnection,
        publisher: SnapshotPublisher,
        archiver: Archiver,
    ) -> None:
        """Finish all of a database that was compacted since. Raises OSError and `PublishError`."""
        publisher.publish()
        publisher.delete_earlier()
        if not archiver.remove_leftovers():
            raise OSError("files of the archive that are named no more could not be removed")
        now = datetime.now(UTC).replace(tzinfo=None)
        rows = connection.execute(
            'SELECT device_hash, erased_at, partition, "offset", events, duplicates, rejected,'  # noqa: S608  # our own
            f" before FROM erasures WHERE {_GONE}"
        ).fetchall()
        for row in rows:
            *found, before = row
            named = dict(zip(Receipt.__struct_fields__, (*found, now, before), strict=True))
            Receipt(**named).keep(self._live)
        connection.execute(
            f"UPDATE erasures SET finished_at = ? WHERE {_GONE}",  # noqa: S608  # our own
            [now],
        )
        self.is_needed, self._error = False, ""
        log.info("erasures are finished: %d", len(rows))
