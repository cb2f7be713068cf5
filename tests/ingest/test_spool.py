from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pipeline.ingest.pending import Record
from pipeline.ingest.spool import Spool, SpoolError

ONE = Record("beacons", b"key", b"one")
TWO = Record("beacons", b"key", b"two")
ROOM = 1_000_000


def opened(folder: Path, *, cap: int = ROOM, slot: int | None = None) -> Spool:
    spool = Spool(folder, cap=cap)
    spool.open(slot=slot)
    return spool


def keep(spool: Spool, *records: Record, gone: tuple[int, ...] = ()) -> int:
    seq = spool.last + 1
    spool.write(records, seq=seq, spooled_at=1000, gone=gone)
    return seq


def read_all(spool: Spool) -> list[Record]:
    found: list[Record] = []
    after = 0
    while (batch := spool.read(after=after)) is not None:
        after = batch[0]
        found += batch[1]
    return found


def test_what_was_written_is_there_in_order_for_who_takes_the_slot_next(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    keep(spool, ONE)
    keep(spool, TWO, ONE)
    spool.close()
    again = opened(tmp_path)
    assert read_all(again) == [ONE, TWO, ONE]
    assert again.depth == 3
    assert again.age(now=3500).total_seconds() == 2.5


def test_what_is_forgotten_gives_its_room_back(tmp_path: Path) -> None:
    spool = opened(tmp_path, cap=40)
    first = keep(spool, ONE)
    with pytest.raises(SpoolError, match="full"):
        keep(spool, TWO, TWO)
    keep(spool, gone=(first,))
    assert (spool.depth, spool.bytes) == (0, 0)
    keep(spool, TWO)
    assert read_all(spool) == [TWO]


def test_two_processes_on_one_home_never_share_a_file(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    keep(first, ONE)
    assert read_all(second) == []
    with pytest.raises(SpoolError):
        opened(tmp_path, slot=0)
    assert second.orphans() == [0]


def test_a_corrupt_file_is_kept_aside_byte_for_byte(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened(tmp_path).close()
    (tmp_path / "0.db").write_bytes(b"no database at all" * 100)
    spool = opened(tmp_path)
    keep(spool, ONE)
    (aside,) = tmp_path.glob("0.db.corrupt-*")
    assert aside.read_bytes() == b"no database at all" * 100
    assert aside.name in caplog.text
    assert read_all(spool) == [ONE]


def test_every_commit_is_synced_before_it_returns(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    keep(spool, ONE)
    connection = spool._connection  # noqa: SLF001  # what no outside shows: the pragmas in force
    assert connection is not None
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other = sqlite3.connect(tmp_path / "0.db")
    assert other.execute("SELECT count(*) FROM batches").fetchone() == (1,)
    other.close()
