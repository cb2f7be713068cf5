from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from ingest.spooling import read_all

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.instance_lock import SpoolError
from pipeline.delivery.publisher import Record
from pipeline.delivery.recovery import recover_abandoned
from pipeline.delivery.spool import Spool
from pipeline.delivery.spool_file import WAL_BYTES

ONE = Record("beacons", b"key", b"one")
TWO = Record("beacons", b"key", b"two")
ROOM = 1_000_000


def opened(folder: Path, *, cap: int = ROOM, instance: int | None = None) -> Spool:
    spool = Spool(folder, cap=cap)
    spool.open(instance=instance)
    return spool


def keep(spool: Spool, *records: Record, delete: tuple[int, ...] = ()) -> int:
    seq = spool.last + 1
    spool.write(records, seq=seq, spooled_at=1000, delete=delete)
    return seq


def test_the_next_process_of_an_instance_reads_what_was_written_in_order(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    keep(spool, ONE)
    keep(spool, TWO, ONE)
    spool.close()
    again = opened(tmp_path)
    assert read_all(again) == [ONE, TWO, ONE]
    assert again.depth == 3
    assert again.age(now=3500).total_seconds() == 2.5


def test_a_deleted_batch_makes_room(tmp_path: Path) -> None:
    spool = opened(tmp_path, cap=40)
    first = keep(spool, ONE)
    with pytest.raises(SpoolError, match="full"):
        keep(spool, TWO, TWO)
    keep(spool, delete=(first,))
    assert (spool.depth, spool.bytes) == (0, 0)
    keep(spool, TWO)
    assert read_all(spool) == [TWO]


def test_two_processes_on_one_home_never_share_a_file(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    keep(first, ONE)
    assert read_all(second) == []
    with pytest.raises(SpoolError):
        opened(tmp_path, instance=0)
    assert second.other_instances() == [0]


def test_a_corrupt_file_is_set_aside_byte_for_byte(
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
    connection = spool._connection  # noqa: SLF001  # only the connection shows the pragmas in force
    assert connection is not None
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other = sqlite3.connect(tmp_path / "0.db")
    assert other.execute("SELECT count(*) FROM batches").fetchone() == (1,)
    other.close()


def test_a_full_disk_refuses_records_keeps_old_ones_and_goes_on_once_it_has_room(
    tmp_path: Path,
) -> None:
    spool = opened(tmp_path)
    first = keep(spool, ONE)
    connection = spool._connection  # noqa: SLF001  # SQLite's own limit stands in for a full disk
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = Record("beacons", b"key", b"x" * 100_000)
    with pytest.raises(SpoolError, match="full"):
        keep(spool, large)
    assert (spool.depth, read_all(spool)) == (1, [ONE])
    # A delete still works.
    with pytest.raises(SpoolError, match="full"):
        keep(spool, large, delete=(first,))
    assert spool.depth == 0
    connection.execute(f"PRAGMA max_page_count = {pages + 100}")
    keep(spool, large)
    assert read_all(spool) == [large]


def test_a_file_that_becomes_corrupt_while_in_use_is_set_aside_and_logged(
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


def test_records_refused_in_every_form_count_and_have_a_cap_of_their_own(tmp_path: Path) -> None:
    large = Record("rejected", b"key", b"x" * 397)
    spool = opened(tmp_path, cap=1000)
    spool.refuse(large, "too large")
    assert spool.size == 400
    spool.close()
    # Also after a restart.
    spool = opened(tmp_path, cap=1000)
    assert spool.size == 400
    with pytest.raises(SpoolError, match="full"):
        keep(spool, Record("beacons", b"key", b"x" * 600))
    for _ in range(2):
        spool.refuse(large, "too large")
    # Their own cap: the last record exceeds it.
    with pytest.raises(SpoolError, match="1200 bytes of records that Kafka refuses in every form"):
        spool.refuse(large, "too large")
    with pytest.raises(SpoolError, match="1200 bytes"):
        spool.check_refused()
    with sqlite3.connect(tmp_path / "0.db") as operator:
        operator.execute("DELETE FROM refused")
    keep(spool, Record("beacons", b"key", b"x" * 600))
    spool.refuse(large, "too large")
    assert spool.refused == 400


def test_a_full_spool_still_keeps_refused_records_and_so_becomes_empty(tmp_path: Path) -> None:
    spool = opened(tmp_path, cap=1000)
    first = keep(spool, Record("beacons", b"key", b"x" * 900))
    spool.refuse(Record("rejected", b"key", b"x" * 900), "too large")
    spool.write([], seq=0, spooled_at=0, delete=[first])
    assert spool.depth == 0


def test_close_releases_the_lock_whatever_else_fails(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    connection = spool._connection  # noqa: SLF001  # stands in for a disk that fails at close
    assert connection is not None
    connection.execute("DROP TABLE refused")
    with pytest.raises(SpoolError):
        spool.close(delete=True)
    opened(tmp_path, instance=0).close()


def test_an_abandoned_spool_that_cannot_be_opened_is_logged_and_does_not_stop_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "1.db").mkdir(parents=True)
    whole = Spool(tmp_path, cap=ROOM)
    whole.open(instance=2)
    keep(whole, ONE)
    whole.close()

    async def scenario() -> None:
        backlog = Backlog(Spool(tmp_path, cap=ROOM), clock=lambda: 1.0)
        backlog.start()
        await recover_abandoned(backlog, lambda: None)
        assert read_all(backlog.spool) == [ONE]
        backlog.close()

    asyncio.run(scenario())
    assert "spool 1 is abandoned and cannot be moved" in caplog.text
    assert not (tmp_path / "2.db").exists()
    (tmp_path / "1.db").rmdir()
    opened(tmp_path, instance=1).close()


def read_by_another(folder: Path) -> tuple[sqlite3.Connection, Path]:
    """A connection that reads the spool's file, and the path of the file's WAL."""
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
        # Each batch is deleted at once: only the reader keeps its bytes.
        for _ in range(1000):
            keep(spool, delete=(keep(spool, large),))

    with pytest.raises(SpoolError, match="full"):
        fill()
    assert spool.bytes < cap / 2
    assert spool.size > cap / 2
    assert wal.stat().st_size < 2 * cap
    reader.close()
    keep(spool, delete=(keep(spool, large),))
    assert wal.stat().st_size <= WAL_BYTES
    assert spool.size == spool.bytes
    assert read_all(spool) == [ONE]


def test_a_wal_that_grew_below_the_cap_is_truncated_by_the_next_commits(tmp_path: Path) -> None:
    large = Record("beacons", b"key", b"x" * 100_000)
    spool = opened(tmp_path, cap=1024 * 1024 * 1024)
    keep(spool, ONE)
    reader, wal = read_by_another(tmp_path)
    while wal.stat().st_size < 4 * WAL_BYTES:
        keep(spool, delete=(keep(spool, large),))
    reader.close()
    # One commit checkpoints all of the WAL, the next starts it over.
    for _ in range(2):
        keep(spool, delete=(keep(spool, ONE),))
    assert wal.stat().st_size <= WAL_BYTES


# Longer than a page.
SOMEONES = Record("beacons", b"key", b"someone's" * 1000)


def named_in(folder: Path) -> list[str]:
    """The files that hold a part of what someone sent."""
    found = [path.name for path in folder.iterdir() if b"someone's" in path.read_bytes()]
    assert list(folder.iterdir())
    return found


def test_what_was_sent_leaves_nothing_in_free_pages(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    first = keep(spool, SOMEONES, SOMEONES)
    keep(spool, ONE)
    keep(spool, delete=(first,))
    spool.close()
    assert named_in(tmp_path) == []


def test_a_spool_that_is_empty_has_nothing_in_its_log(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    seqs = [keep(spool, SOMEONES) for _ in range(3)]
    assert named_in(tmp_path) != []
    keep(spool, delete=tuple(seqs[:2]))
    keep(spool, delete=(seqs[2],))
    assert named_in(tmp_path) == []
    keep(spool, ONE)
    assert read_all(spool) == [ONE]
    spool.close()
