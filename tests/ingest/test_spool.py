from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from ingest.spooling import read_all

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.instance_lock import SpoolError
from pipeline.delivery.publisher import Record
from pipeline.delivery.recovery import adopt
from pipeline.delivery.spool import Spool
from pipeline.delivery.spool_file import WAL_BYTES

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


def test_a_full_disk_takes_nothing_more_keeps_what_it_has_and_goes_on_with_room(
    tmp_path: Path,
) -> None:
    spool = opened(tmp_path)
    first = keep(spool, ONE)
    connection = spool._connection  # noqa: SLF001  # SQLite's own bound stands for the disk's
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = Record("beacons", b"key", b"x" * 100_000)
    with pytest.raises(SpoolError, match="full"):
        keep(spool, large)
    assert (spool.depth, read_all(spool)) == (1, [ONE])
    # What has landed can be forgotten all the same.
    with pytest.raises(SpoolError, match="full"):
        keep(spool, large, gone=(first,))
    assert spool.depth == 0
    connection.execute(f"PRAGMA max_page_count = {pages + 100}")
    keep(spool, large)
    assert read_all(spool) == [large]


def test_a_file_that_goes_bad_while_in_use_is_kept_aside_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # More than SQLite keeps in memory.
    large = Record("beacons", b"key", b"x" * 8_000_000)
    spool = opened(tmp_path, cap=2 * 8_000_000)
    keep(spool, large)
    spool.close()
    spool = opened(tmp_path, cap=2 * 8_000_000)
    with (tmp_path / "0.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 7_900_000)
    with pytest.raises(SpoolError):
        read_all(spool)
    assert "the spool is corrupt" in caplog.text
    (aside,) = [p for p in tmp_path.glob("0.db.corrupt-*") if p.name[-4:] not in ("-wal", "-shm")]
    assert aside.stat().st_size >= 7_900_000
    keep(spool, ONE)
    assert read_all(spool) == [ONE]


def test_what_kafka_takes_in_no_form_counts_and_has_its_cap(tmp_path: Path) -> None:
    large = Record("rejected", b"key", b"x" * 397)
    spool = opened(tmp_path, cap=1000)
    spool.refuse(large, "too large")
    assert spool.size == 400
    spool.close()
    # The next owner knows of it, too.
    spool = opened(tmp_path, cap=1000)
    assert spool.size == 400
    with pytest.raises(SpoolError, match="full"):
        keep(spool, Record("beacons", b"key", b"x" * 600))
    for _ in range(2):
        spool.refuse(large, "too large")
    # A cap of their own: the last one goes over it by itself.
    with pytest.raises(SpoolError, match="1200 bytes of records that Kafka takes in no form"):
        spool.refuse(large, "too large")
    with pytest.raises(SpoolError, match="1200 bytes"):
        spool.check_refused()
    with sqlite3.connect(tmp_path / "0.db") as person:
        person.execute("DELETE FROM refused")
    keep(spool, Record("beacons", b"key", b"x" * 600))
    spool.refuse(large, "too large")
    assert spool.refused == 400


def test_a_full_spool_still_refuses_and_so_becomes_empty(tmp_path: Path) -> None:
    spool = opened(tmp_path, cap=1000)
    first = keep(spool, Record("beacons", b"key", b"x" * 900))
    spool.refuse(Record("rejected", b"key", b"x" * 900), "too large")
    spool.write([], seq=0, spooled_at=0, gone=[first])
    assert spool.depth == 0


def test_a_slot_is_let_go_whatever_else_fails(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    connection = spool._connection  # noqa: SLF001  # a disk that fails at the last question
    assert connection is not None
    connection.execute("DROP TABLE refused")
    with pytest.raises(SpoolError):
        spool.close(delete=True)
    opened(tmp_path, slot=0).close()


def test_an_orphan_that_cannot_be_opened_is_said_let_go_and_keeps_no_other_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "1.db").mkdir(parents=True)
    whole = Spool(tmp_path, cap=ROOM)
    whole.open(slot=2)
    keep(whole, ONE)
    whole.close()

    async def story() -> None:
        backlog = Backlog(Spool(tmp_path, cap=ROOM), clock=lambda: 1.0)
        backlog.start()
        await adopt(backlog, lambda: None)
        assert read_all(backlog.spool) == [ONE]
        backlog.close()

    asyncio.run(story())
    assert "what slot 1 of the spool holds cannot be moved" in caplog.text
    assert not (tmp_path / "2.db").exists()
    (tmp_path / "1.db").rmdir()
    opened(tmp_path, slot=1).close()


def read_by_another(folder: Path) -> tuple[sqlite3.Connection, Path]:
    """One who has begun to read the spool's file, and that file's WAL."""
    (path,) = folder.glob("*.db")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM batches").fetchall()
    return reader, path.with_name(f"{path.name}-wal")


def test_a_reader_of_the_file_fills_the_spool_and_not_the_disk(tmp_path: Path) -> None:
    cap, large = 4 * 1024 * 1024, Record("beacons", b"key", b"x" * 100_000)
    spool = opened(tmp_path, cap=cap)
    keep(spool, ONE)
    reader, wal = read_by_another(tmp_path)

    def fill() -> None:
        # Each batch is forgotten at once: only the reader holds its bytes.
        for _ in range(1000):
            keep(spool, gone=(keep(spool, large),))

    with pytest.raises(SpoolError, match="full"):
        fill()
    assert spool.bytes < cap / 2
    assert spool.size > cap / 2
    assert wal.stat().st_size < 2 * cap
    reader.close()
    keep(spool, gone=(keep(spool, large),))
    assert wal.stat().st_size <= WAL_BYTES
    assert spool.size == spool.bytes
    assert read_all(spool) == [ONE]


def test_a_wal_that_grew_below_the_cap_is_cut_back_by_the_next_commits(tmp_path: Path) -> None:
    large = Record("beacons", b"key", b"x" * 100_000)
    spool = opened(tmp_path, cap=1024 * 1024 * 1024)
    keep(spool, ONE)
    reader, wal = read_by_another(tmp_path)
    while wal.stat().st_size < 4 * WAL_BYTES:
        keep(spool, gone=(keep(spool, large),))
    reader.close()
    # One commit moves all of the WAL into the file, the next begins it anew.
    for _ in range(2):
        keep(spool, gone=(keep(spool, ONE),))
    assert wal.stat().st_size <= WAL_BYTES
