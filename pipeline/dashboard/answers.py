"""What a page and its sections show, from readers that do not wait for each other.

A quick question never waits for a slow one, nor has it less memory for it: each kind has readers of
its own. An answer is kept until the next snapshot, for all who ask the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from threading import Lock
from typing import TypeVar

import duckdb

from pipeline.config import Settings
from pipeline.dashboard.reading import Reading, run
from pipeline.dashboard.sections import ALL
from pipeline.dashboard.sections.section import Found, Section
from pipeline.dashboard.selection import Row, Selection, SelectionError, select
from pipeline.dashboard.snapshot import SnapshotRead, SnapshotReader
from pipeline.warehouse.limits import limited

T = TypeVar("T")
QUICK_READERS = 2
# What a quick question may take, at least: a small part of a second at a hundred million events.
_QUICK = timedelta(seconds=10)
# Of answers that are kept: some hundred megabytes.
MOST_ROWS = 100_000
_BY_TIME = {"trend_visits", "trend_sales"}
_COMPARED = {"totals", "money", *_BY_TIME}


def quick_limit(timeout: timedelta) -> timedelta:
    """What a quick question may take where any may take `timeout`; by default ten seconds.

    A longer one for any is a longer one for these, too: that is what the page advises.
    """
    return min(timeout, max(_QUICK, timeout / 6))


@dataclass(frozen=True)
class Answer:
    """The figures of a selection. `problem` says why there is none; `found` lacks slow sections."""

    stores: list[Row]
    ledger: Row
    selection: Selection | None = None
    problem: str | None = None
    options: list[Row] = field(default_factory=list)
    found: dict[str, Found] = field(default_factory=dict)


class Answers:
    """Asks the published snapshot of `settings`. Safe for any number of threads."""

    def __init__(self, settings: Settings) -> None:
        quick = quick_limit(settings.query_timeout)
        memory = settings.query_memory_bytes // (QUICK_READERS + 2)
        self._limits = {False: quick, True: settings.query_timeout}
        self.slow = SnapshotReader(
            settings.database,
            memory=2 * memory,
            patience=settings.query_timeout.total_seconds(),
        )
        self.quick = [
            SnapshotReader(settings.database, memory=memory, patience=quick.total_seconds())
            for _ in range(QUICK_READERS)
        ]
        self._turn = cycle(self.quick)
        self._kept = _Kept()

    def version(self) -> str:
        """Identifies the current snapshot; empty without one."""
        return self.slow.version()

    def page(self, wanted: Mapping[str, str], *, whole: bool) -> SnapshotRead[Answer]:
        """All of a page; slow sections only if they are known already, or it is to be `whole`.

        Raises `NotPublishedError`, `BusyError`, `LimitError` and duckdb.Error.
        """
        answer = self._read(lambda asking: asking.page(wanted), is_slow=False)
        selection = answer.value.selection
        if whole and selection is not None:
            for section in ALL:
                if section.name not in answer.value.found and section.is_for(selection):
                    answer.value.found[section.name] = self.section(section, wanted)[1]
        return answer

    def section(
        self, section: Section, wanted: Mapping[str, str], *, is_slow: bool = False
    ) -> tuple[Selection, Found]:
        """The figures of one section; with `is_slow` those of any are asked as of a slow one.

        Raises as `page` does, and `SelectionError`.
        """
        return self._read(
            lambda asking: asking.section(section, wanted), is_slow=is_slow or section.is_slow
        ).value

    def _read(self, of: Callable[[_Asking], T], *, is_slow: bool) -> SnapshotRead[T]:
        reader = self.slow if is_slow else self._idle()

        def query(connection: duckdb.DuckDBPyConnection) -> T:
            with limited(connection, self._limits[is_slow]):
                return of(_Asking(connection, reader.opened, self._kept))

        return reader.read(query)

    def _idle(self) -> SnapshotReader:
        """A quick reader that does nothing, or the next in turn."""
        idle = (reader for reader in self.quick if not reader.is_busy)
        return next(idle, None) or next(self._turn)


class _Asking:
    """Asks one snapshot on one connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, version: str, kept: _Kept) -> None:
        self._connection = connection
        self._version = version
        self._kept = kept
        self._reading: Reading | None = None

    def page(self, wanted: Mapping[str, str]) -> Answer:
        stores, ledger = self._of_all("stores"), self._of_all("ledger")[0]
        if not stores:
            return Answer(stores, ledger)
        try:
            selection = select(stores, wanted)
        except SelectionError as error:
            return Answer(stores, ledger, problem=str(error))
        found = {
            section.name: self._found(section, selection)
            for section in ALL
            if section.is_for(selection)
            and (not section.is_slow or self._is_known(section, selection))
        }
        return Answer(
            stores, ledger, selection, options=self._rows("options", selection), found=found
        )

    def section(self, section: Section, wanted: Mapping[str, str]) -> tuple[Selection, Found]:
        stores = self._of_all("stores")
        if not stores:
            raise SelectionError("There are no events yet.")
        selection = select(stores, wanted)
        return selection, self._found(section, selection)

    def _is_known(self, section: Section, selection: Selection) -> bool:
        return all(
            self._kept.has((self._version, *_key(query, selection))) for query in section.queries
        )

    def _found(self, section: Section, selection: Selection) -> Found:
        return {query: self._rows(query, selection) for query in section.queries}

    def _rows(self, query: str, selection: Selection) -> list[Row]:
        def asked() -> list[Row]:
            self._reading = self._reading or Reading(self._connection, selection)
            return self._reading.rows(query)

        return self._kept.once((self._version, *_key(query, selection)), asked)

    def _of_all(self, query: str) -> list[Row]:
        return self._kept.once((self._version, query), lambda: run(self._connection, query))


def _key(query: str, selection: Selection) -> tuple[Hashable, ...]:
    """Equal where the rows of the query are the same."""
    return (
        query,
        selection.store.name,
        selection.first,
        selection.last,
        tuple(sorted(selection.filters.items())),
        selection.compare if query in _COMPARED else None,
        selection.by if query in _BY_TIME else None,
        selection.model if query == "models" else None,
    )


class _Kept:
    """The last answers of one snapshot, by the version and what was asked, up to `MOST_ROWS`."""

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[Hashable, ...], list[Row]] = OrderedDict()
        self._lock = Lock()

    def has(self, key: tuple[Hashable, ...]) -> bool:
        with self._lock:
            return key in self._rows

    def once(self, key: tuple[Hashable, ...], asked: Callable[[], list[Row]]) -> list[Row]:
        with self._lock:
            if key in self._rows:
                self._rows.move_to_end(key)
                return self._rows[key]
        rows = asked()
        with self._lock:
            if self._rows and next(iter(self._rows))[0] != key[0]:
                self._rows.clear()  # of the snapshot before
            self._rows[key] = rows
            while sum(map(len, self._rows.values())) > MOST_ROWS and len(self._rows) > 1:
                self._rows.popitem(last=False)
        return rows
