"""What the spools of a home hold, read beside the ingest that owns them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from pipeline.delivery import spool_file
from pipeline.delivery.instance_lock import SpoolError, spool_files
from pipeline.delivery.publisher import Record

# Seconds that a checkpoint of the owner may take.
PATIENCE = 2.0

_decode = msgspec.msgpack.Decoder(list[Record]).decode


@dataclass(frozen=True)
class Spooled:
    """Records that wait for Kafka in all spools of a home, the oldest since `since`.

    `refused` are bytes of records that Kafka refuses in every form; `unread` names the spools that
    cannot be read, and why.
    """

    records: int = 0
    since: datetime | None = None
    refused: int = 0
    unread: tuple[str, ...] = ()


def spooled(home: Path) -> Spooled:
    """Of the spools in `home`; their records were answered 204."""
    records, since, refused, unread = 0, None, 0, []
    for path in spool_files(home / "spool").values():
        try:
            found = _contents(path)
        except SpoolError as error:
            unread.append(str(error))
            continue
        records += found.depth
        refused += found.refused
        if found.oldest is not None:
            oldest = datetime.fromtimestamp(found.oldest / 1000, UTC)
            since = oldest if since is None else min(since, oldest)
    return Spooled(records, since, refused, tuple(unread))


def spooled_records(home: Path) -> Iterator[Record]:
    """The records, those of an ingest in order. Raises `SpoolError` where one cannot be read."""
    for path in spool_files(home / "spool").values():
        for (body,) in _rows(path, "SELECT body FROM batches ORDER BY seq"):
            try:
                yield from _decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise SpoolError(f"{path}: {error}") from None


def _contents(path: Path) -> spool_file.Contents:
    ((depth, size, last, oldest),) = _rows(path, spool_file.CONTENTS)
    ((refused,),) = _rows(path, spool_file.REFUSED_BYTES)
    return spool_file.Contents(depth, size, last, oldest, refused)


def _rows(path: Path, statement: str) -> Iterator[tuple[Any, ...]]:
    # Read only: a file that is damaged or gone is its owner's to mend.
    name = f"file:{quote(str(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(name, uri=True, timeout=PATIENCE)) as connection:
            yield from connection.execute(statement)
    except sqlite3.Error as error:
        raise SpoolError(f"{path}: {error}") from None
