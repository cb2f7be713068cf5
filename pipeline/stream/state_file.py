"""The file of a local store: an LMDB environment with two tables, the rows and their hours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from pipeline.stream.rows import DamagedRowError

FILE = "data.mdb"
ROWS, HOURS = 0, 1
_NAMES = (b"rows", b"hours")
# What only damage explains: a page that lies, is of another format or is not there.
_DAMAGE = (
    lmdb.BadTxnError,
    lmdb.CorruptedError,
    lmdb.CursorFullError,
    lmdb.IncompatibleError,
    lmdb.InvalidError,
    lmdb.PageFullError,
    lmdb.PageNotFoundError,
    lmdb.PanicError,
    lmdb.ProblemError,
    lmdb.VersionMismatchError,
    DamagedRowError,
)
# Address space, of which the disk gives what is written.
_MAP_BYTES = 1 << 38


class DamagedStateError(lmdb.CorruptedError):
    """A file that lied. It is deleted: what is on the changelog is read again at the next start."""


@dataclass(slots=True)
class Tables:
    """The tables in a transaction. A table is `ROWS` or `HOURS`. Methods raise `lmdb.Error`."""

    transaction: Any
    tables: Sequence[Any]

    def get(self, table: int, key: bytes) -> bytes | None:
        """The value under `key`; None without one."""
        value: bytes | None = self.transaction.get(key, db=self.tables[table])
        return value

    def put(self, table: int, key: bytes, value: bytes) -> None:
        """Write `value` under `key`."""
        self.transaction.put(key, value, db=self.tables[table])

    def delete(self, table: int, key: bytes) -> None:
        """Delete what is under `key`, if anything is."""
        self.transaction.delete(key, db=self.tables[table])

    def append(self, table: int, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Write `pairs` after all that the table has, in their order."""
        consumed, added = self.cursor(table).putmulti(pairs, append=True)
        if (consumed, added) != (len(pairs), len(pairs)):
            raise lmdb.KeyExistsError("there are rows already")

    def entries(self, table: int) -> int:
        """How many keys the table has."""
        return int(self.transaction.stat(self.tables[table])["entries"])

    def cursor(self, table: int) -> Any:
        """A cursor before the first key."""
        return self.transaction.cursor(db=self.tables[table])


@dataclass(frozen=True, slots=True)
class StateFile:
    """An open file. Methods raise `lmdb.Error`."""

    env: lmdb.Environment
    tables: Sequence[Any]

    @classmethod
    def open(cls, folder: Path) -> StateFile:
        """That in `folder`, made if there is none. A damaged one raises `lmdb.Error`."""
        env = lmdb.open(
            str(folder),
            map_size=_MAP_BYTES,
            max_dbs=3,
            # Read at random, and trusted after a power cut only if synced since.
            readahead=False,
            sync=False,
            # `owner` does it, also for a process that has not noticed its own pause.
            lock=False,
            mode=0o600,
        )
        try:
            _refuse_torn(env, folder)
        except lmdb.Error:
            env.close()
            raise
        return cls(env, [env.open_db(name) for name in _NAMES])

    @contextmanager
    def reading(self) -> Iterator[Tables]:
        """As they are now. Raises `DamagedStateError`, as `changing` does."""
        with self._deleted_if_damaged(), self.env.begin() as transaction:
            yield Tables(transaction, self.tables)

    @contextmanager
    def changing(self) -> Iterator[Tables]:
        """What is written is there, whole, after the `with`, or nothing of it."""
        with self._deleted_if_damaged(), self.env.begin(write=True) as transaction:
            yield Tables(transaction, self.tables)

    @contextmanager
    def _deleted_if_damaged(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            # Else each start would end here again. The pages stay this process's until it ends.
            file = Path(self.env.path()) / FILE
            file.unlink(missing_ok=True)
            raise DamagedStateError(
                f"the local state {file} is damaged ({error}): it is deleted, and read again from"
                " the changelog"
            ) from error


def _refuse_torn(env: lmdb.Environment, folder: Path) -> None:
    # Reading beyond the file's end would kill the process.
    pages = env.info()["last_pgno"] + 1
    size = (folder / FILE).stat().st_size
    if size < pages * env.stat()["psize"]:
        raise lmdb.CorruptedError(f"{folder}: {size} bytes are not {pages} pages")
