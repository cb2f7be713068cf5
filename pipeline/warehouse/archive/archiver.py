"""Decides what moves into the archive, and when; writes beside the loader's transactions.

A day has settled when it ended, by stream time, longer ago than the setting. What has settled is
frozen once it stops growing: a day as a file of its own, the small rest of a month as one. No
number depends on it: rows that come later are hot first, then in one more file.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb

from pipeline.warehouse.archive.freezing import Freezer, Span, WrittenFile
from pipeline.warehouse.archive.leftovers import Leftovers
from pipeline.warehouse.cause import cause
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.manifest import ArchiveError, archive_files

log = logging.getLogger(__name__)

# Fewer rows are not worth a file.
FEWEST = 10_000
# Each file costs every query of `events` some 20 µs, and 300 µs where it has to be opened.
MOST_FILES = 500
# With fewer files a month is merged only if no month has more.
MANY = 8
# From the start of a day to its end in the last of all zones.
DAY = timedelta(hours=36)
INTERVAL = timedelta(minutes=1)
# Seconds.
INTERRUPT = 0.1

Job = Callable[[], WrittenFile | None]


class Archiver:
    """Moves what has settled into the archive, one file at a time.

    A day settles `after` its end. `snapshot` is where snapshots are published; all files get the
    mode `mode`. Raises `DatabaseError` when leftovers of a killed process cannot be removed.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Path,
        snapshot: Path,
        *,
        after: timedelta,
        mode: int = 0o400,
        fewest: int = FEWEST,
        most_files: int = MOST_FILES,
        interval: timedelta = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._beside = connection.cursor()
        self._freezer = Freezer(folder, mode=mode)
        self._leftovers = Leftovers(connection, folder, snapshot)
        self._after = after
        self._fewest = fewest
        self._most_files = most_files
        self._interval = interval.total_seconds()
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")
        self._writing: Future[WrittenFile | None] | None = None
        self._jobs: Iterator[Job] | None = None
        self._rests_until = float("-inf")
        self._seen: Counter[Span] = Counter()
        self._error = ""
        try:
            self._leftovers.find(mode=mode)
            self._leftovers.remove()
        except OSError as error:
            raise DatabaseError(f"the archive in {folder} cannot be used: {cause(error)}") from None

    def step(self) -> bool:
        """Name a file that is written, begin the next; True when one was named.

        To be called between two transactions.

        A full disk is logged, and the rows stay where they are until the next look. Raises
        duckdb.Error when the database itself has failed.
        """
        try:
            return self._step()
        except (OSError, ArchiveError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
            self._rest()
            reason = cause(error)
            if reason != self._error:  # once, not each interval
                log.error("nothing moves into the archive: %s", reason)  # noqa: TRY400  # one line
            self._error = reason
            return False

    def unnamed(self, names: Iterable[str]) -> None:
        """Delete the files `names`, which a transaction no longer names, once no snapshot does."""
        self._leftovers.add(names)

    @property
    def is_busy(self) -> bool:
        """Whether a file is being written, or looked for."""
        return self._writing is not None

    def remove_leftovers(self) -> bool:
        """Remove files that nothing names any more; whether none is left. Raises OSError."""
        return self._leftovers.remove()

    def close(self) -> None:
        """Stop writing; a file that is not named yet goes, and its rows stay where they are."""
        while self._writing is not None and not wait([self._writing], timeout=INTERRUPT).done:
            # Again and again: between two statements it has no effect.
            self._beside.interrupt()
        self._thread.shutdown()
        self._beside.close()
        if self._writing is not None and self._writing.exception() is None:
            written = self._writing.result()
            with suppress(OSError):  # then the next start deletes it
                if written is not None:
                    self._freezer.discard(written)
        self._writing = None

    def _step(self) -> bool:
        moved = False
        if self._writing is not None:
            if not self._writing.done():
                return False
            writing, self._writing = self._writing, None
            written = writing.result()
            if written is None:
                self._rest()
                self._leftovers.remove()
            else:
                moved = self._freezer.name(self._connection, written)
                self._leftovers.add(written.replaces)
                self._error = ""
        if self._clock() >= self._rests_until:
            self._writing = self._thread.submit(self._write)
        return moved

    def _rest(self) -> None:
        self._jobs = None
        self._rests_until = self._clock() + self._interval

    def _write(self) -> WrittenFile | None:
        """Write what is next; None when there is nothing until the next look."""
        if self._jobs is None:
            self._jobs = iter(self._due())
        job = next(self._jobs, None)
        return None if job is None else job()

    def _due(self) -> list[Job]:
        """What has stopped growing since the last look; if nothing, the merges that are due."""
        settled = self._settled()
        still = [span for span, count in settled.items() if count * 99 <= self._seen[span] * 100]
        growing = {span.month for span in settled if span not in still}
        ready = [span for span in still if span.is_day or span not in growing]
        self._seen = Counter({span: settled[span] for span in settled if span not in ready})
        # The days first: the rest of a month is what they leave.
        ready.sort(key=lambda span: (not span.is_day, span.first))
        if ready:
            return [partial(self._freezer.freeze, self._beside, span) for span in ready]
        return [partial(self._freezer.merge, self._beside, span) for span in self._crowded()]

    def _settled(self) -> Counter[Span]:
        """Rows by what could become a file."""
        ((now,),) = self._beside.execute("SELECT max(stream_time) FROM ledger").fetchall()
        if now is None:
            return Counter()
        last = (now - self._after - DAY).date()
        counts: Counter[Span] = Counter()
        for day, count in self._beside.execute(
            f"SELECT day, count(*) FROM hot_events WHERE day <= DATE '{last}' GROUP BY day"  # noqa: S608  # a date
        ).fetchall():
            span = Span(day, day)
            counts[span if count >= self._fewest else span.month] += count
        return Counter(
            {
                span: count
                for span, count in counts.items()
                if count >= self._fewest and span.last <= last
            }
        )

    def _crowded(self) -> list[Span]:
        """Months whose files become one, the oldest first, while there are too many files."""
        files = archive_files(self._beside)
        months = Counter(Span(file.first_day, file.last_day).month for file in files)
        chosen, excess = [], len(files) - self._most_files
        while excess > 0:
            many = [month for month, count in months.items() if count >= MANY]
            month = min(many, default=None) or max(months, key=lambda each: months[each])
            excess -= months.pop(month) - 1
            chosen.append(month)
        return chosen
