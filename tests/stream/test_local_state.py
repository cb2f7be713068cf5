"""What a worker keeps on its disk: never ahead of the changelog, and never trusted too far."""

from __future__ import annotations

import os
import re
import resource
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import lmdb
import msgspec
import pytest
from factories import DAY, MINUTE, MORNING, RULES, make_event
from hypothesis import given, settings
from hypothesis import strategies as st
from logged import records
from stream_log import PartitionLog, killed, undisturbed, visits

from pipeline.domain.rules import Rules
from pipeline.stream import expiry, local_state
from pipeline.stream.local_folder import MOST_AGE, MOST_BEHIND, LocalFolder, boot, untrusted
from pipeline.stream.local_state import Meta
from pipeline.stream.rows import hashed
from pipeline.stream.state_file import DamagedStateError

HOUR = 60 * MINUTE
PAGE = 4096
HOUR_LATE = Rules(lateness=timedelta(hours=1), lookback=timedelta(hours=2))
META = Meta(identity="this", begun_at=0, moved_at=0, boot="boot", offset=5)


def of_three_devices(log: PartitionLog, write_bytes: int) -> PartitionLog:
    log.memory, log.write_bytes = 3 * 1500, write_bytes
    return log


@given(
    steps=st.lists(
        st.tuples(
            st.integers(1, 4),
            st.sampled_from(["outcomes", "states", "commit"]),
            st.sampled_from(["lives", "is killed", "is stopped", "moves away"]),
        ),
        max_size=20,
    ),
    write_bytes=st.sampled_from([0, 400, 100_000]),
    apart=st.sampled_from([20, 200]),
)
@settings(deadline=None, max_examples=120)
def test_whatever_ends_a_worker_its_folder_gives_the_same_outcomes(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, str, str]],
    write_bytes: int,
    apart: int,
) -> None:
    folders = [tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")]
    log = of_three_devices(visits(PartitionLog(HOUR_LATE), apart=apart), write_bytes)
    partition = log.assigned(folders[0])
    for size, until, end in steps:
        log.run(partition, size, until=until)
        if until != "commit" or end in ("is killed", "moves away"):
            killed(partition)
        elif end == "is stopped":
            partition.devices.close()
        else:
            continue
        if end == "moves away":  # the other machine has a state of its own, from before
            folders.reverse()
        partition = log.assigned(folders[0])
    while log.run(partition, 2):
        pass
    assert log.accepted() == undisturbed(log).outcomes


@given(
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=6),
    stale=st.integers(1, 6),
    write_bytes=st.sampled_from([0, 400, 100_000]),
)
@settings(deadline=None, max_examples=80)
def test_what_a_paused_owner_writes_between_is_read_by_the_next_recovery(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], stale: int, write_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("state")
    log = of_three_devices(visits(PartitionLog(HOUR_LATE)), write_bytes)
    paused = log.assigned()
    log.run(paused, 2)
    for size in sizes:
        owner = log.assigned(folder)
        log.run(owner, size)
        log.run(paused, stale, until="states")  # accepted by Kafka, and never committed
        log.run(owner, size)
        killed(owner)
    owner = log.assigned(folder)
    while log.run(owner, 3):
        pass
    assert log.accepted() == undisturbed(log).outcomes


def test_a_worker_that_returns_reads_only_what_it_lacks(tmp_path: Path) -> None:
    log = visits(PartitionLog())
    first = log.assigned(tmp_path)
    log.run(first, 10)
    first.devices.close()
    reached = len(log.changelog)
    other = log.assigned()
    log.run(other, 5)
    again = log.assigned(tmp_path / "unused").devices
    assert again.next_offset == len(log.changelog)
    store = LocalFolder(tmp_path, "", log.rules, {0: len(log.changelog)}).open(0)
    assert store.meta.offset == reached < len(log.changelog)


def test_a_folder_says_when_it_moved_and_which_boot_may_trust_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = visits(PartitionLog())
    first = log.assigned(tmp_path)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    log.run(first, 4)
    first.devices.close()
    monkeypatch.undo()
    store = LocalFolder(tmp_path, "", log.rules, {0: len(log.changelog)}).open(0)
    assert store.meta.moved_at == 4e9
    assert store.meta.boot == boot()
    store.close()
    assert store.meta.boot is None


def test_where_another_worker_wrote_between_the_next_recovery_begins(tmp_path: Path) -> None:
    log = visits(PartitionLog())
    owner, paused = log.assigned(tmp_path), log.assigned()
    log.run(owner, 4)
    reached = len(log.changelog)
    log.run(paused, 2, until="states")
    log.run(owner, 4)
    assert owner.devices.store.meta.offset == reached


def test_a_state_enters_the_folder_only_once_it_is_acknowledged(tmp_path: Path) -> None:
    log = visits(PartitionLog())
    partition = log.assigned(tmp_path)
    partition.process(log.beacons[:6], committed=0)
    partition.devices.write()
    assert len(partition.devices) == 0
    assert partition.devices.store.meta.offset == 0


def test_memory_holds_no_more_than_its_bound_and_what_is_on_its_way(tmp_path: Path) -> None:
    log = of_three_devices(visits(PartitionLog(), devices=20), 0)
    partition = log.assigned(tmp_path)
    while log.run(partition, 20):
        partition.devices.shrink()
        assert len(partition.devices._decoded) <= 3  # noqa: SLF001
    assert log.outcomes == undisturbed(log).outcomes


def test_what_is_needed_is_not_read_to_find_what_has_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PartitionLog(HOUR_LATE)
    log.memory = 0
    log.send(make_event(), device="d:old")
    for number in range(50):
        log.send(make_event(minute=24 * 60), device=f"d:{number}")
    partition = log.assigned(tmp_path)
    log.run(partition)
    read: list[bytes] = []
    decode = expiry.decode
    monkeypatch.setattr(expiry, "decode", lambda value: read.append(value) or decode(value))
    horizon = MORNING + DAY
    gone = partition.devices.expired(horizon, committed=100, count=1000)
    assert [key[16:] for key, _ in gone] == [log.beacons[0].key]
    assert len(read) == 1
    assert partition.devices.expired(horizon, committed=100, count=1000) == []


def test_a_device_whose_records_may_be_read_again_is_kept(tmp_path: Path) -> None:
    log = PartitionLog(HOUR_LATE)
    log.send(make_event(), device="d:old")
    partition = log.assigned(tmp_path)
    log.run(partition)
    horizon = MORNING + DAY
    assert partition.devices.expired(horizon, committed=0, count=9) == []
    assert len(partition.devices.expired(horizon, committed=1, count=9)) == 1


def test_what_a_paused_owner_wrote_expires_without_the_state_that_counts(tmp_path: Path) -> None:
    log = PartitionLog(HOUR_LATE)
    log.send(make_event())
    owner, paused = log.assigned(), log.assigned()
    log.run(owner)
    log.send(make_event(minute=24 * 60))
    log.run(owner)
    log.run(paused, 1, until="states")
    devices = log.assigned(tmp_path).devices
    assert devices.expired(MORNING + 23 * HOUR, committed=9, count=9) == []
    assert devices.expired(MORNING + 23 * HOUR, committed=9, count=9) == []
    gone = devices.expired(MORNING + 48 * HOUR, committed=9, count=9)
    assert {key for key, _ in gone} == log.state().keys()


def test_a_device_that_was_read_from_the_changelog_expires_too(tmp_path: Path) -> None:
    log = visits(PartitionLog(HOUR_LATE), devices=30, rounds=1)
    log.run(log.assigned())
    later = log.assigned(tmp_path)
    for minute in range(4):
        log.send(make_event(minute=48 * 60 + minute), device="d:new")
        log.run(later)
    assert len(log.state()) == 1


def test_a_device_that_came_again_is_looked_at_at_its_new_hour(tmp_path: Path) -> None:
    log = PartitionLog(HOUR_LATE)
    log.memory = 0
    partition = log.assigned(tmp_path)
    for hour in range(30):
        log.send(make_event(minute=hour * 60), device="d:busy")
        log.run(partition)
        assert len(log.state()) == 1
    log.send(make_event(minute=40 * 60), device="d:other")
    log.send(make_event(minute=40 * 60), device="d:third")
    log.run(partition, 1)
    log.run(partition, 1)
    assert log.beacons[0].key not in {key[16:] for key in log.state()}


@pytest.mark.parametrize(
    ("held", "now", "reason"),
    [
        ({}, {}, None),
        ({}, {"boot": None}, "not synced"),
        ({"boot": None}, {}, None),
        ({"boot": "before"}, {}, "not synced"),
        ({"identity": "that"}, {}, "another topic"),
        ({"offset": 11}, {}, "ends at 10"),
        ({"offset": 10}, {}, None),
        ({}, {"moved_at": MOST_BEHIND.total_seconds() + 1}, "behind"),
        ({}, {"moved_at": MOST_BEHIND.total_seconds()}, None),
        ({"offset": 10}, {"moved_at": MOST_BEHIND.total_seconds() + 1}, None),
        ({}, {"begun_at": MOST_AGE.total_seconds() + 1}, "older"),
    ],
)
def test_a_state_is_trusted_only_where_it_can_be_read_on(
    held: dict[str, object], now: dict[str, object], reason: str | None
) -> None:
    found = untrusted(
        msgspec.structs.replace(META, **held), msgspec.structs.replace(META, **now), end=10
    )
    assert (reason is None) == (found is None)
    assert (reason or "") in (found or "")


@pytest.mark.parametrize("damage", ["torn", "garbage", "deleted", "empty", "a folder", "no text"])
def test_a_damaged_folder_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    log = visits(PartitionLog(), devices=200, rounds=1)
    first = log.assigned(tmp_path)
    log.run(first, 150)
    first.devices.close()
    (file,) = tmp_path.glob("*/data.mdb")
    if damage == "torn":
        os.truncate(file, file.stat().st_size - 4096)
    elif damage == "deleted":
        file.unlink()
    elif damage == "a folder":
        file.unlink()
        (file / "of somebody").mkdir(parents=True)
    elif damage == "no text":  # in what it says of itself
        text = re.compile(rb'"identity":".')
        file.write_bytes(text.sub(b'"identity":"\xb0', file.read_bytes()))
    else:
        file.write_bytes(b"" if damage == "empty" else os.urandom(100_000))
    again = log.assigned(tmp_path)
    assert again.devices.store.meta.offset == 150
    assert again.devices.store.meta.has_unindexed  # all of it was read again
    warned = [record for record in records(caplog, "pipeline.stream") if record.levelname != "INFO"]
    assert len(warned) == (damage in ("torn", "garbage", "a folder", "no text"))
    assert all(f"{file} is damaged" in record.getMessage() for record in warned)
    while log.run(again, 20):
        pass
    assert log.accepted() == undisturbed(log).outcomes


@pytest.mark.parametrize("damage", ["page", "byte"])
def test_damage_that_is_found_at_work_ends_one_worker_and_not_the_next(
    tmp_path: Path, damage: str
) -> None:
    log = visits(PartitionLog(), devices=200, rounds=2)
    first = log.assigned(tmp_path)
    log.run(first, 200)
    first.devices.close()
    (file,) = tmp_path.glob("*/data.mdb")
    row, content = hashed(log.beacons[0].key), file.read_bytes()
    if damage == "page":
        pages = [content[place : place + PAGE] for place in range(0, len(content), PAGE)]
        content = b"".join(bytes(PAGE) if row in page else page for page in pages)
    else:  # of the states, so that LMDB sees nothing
        name = log.beacons[0].key
        places = [found.end() for found in re.finditer(re.escape(name), content)]
        changed = bytearray(content)
        for place in places:
            changed[place + 1] ^= 1
        content = bytes(changed)
    file.write_bytes(content)
    damaged = log.assigned(tmp_path)
    assert damaged.devices.store.meta.offset == 200
    with pytest.raises(DamagedStateError, match="it is deleted, and read again from the changelog"):
        log.run(damaged, 200)
    killed(damaged)
    again = log.assigned(tmp_path)
    assert again.devices.store.meta.has_unindexed  # all of it was read again
    while log.run(again, 20):
        pass
    assert log.accepted() == undisturbed(log).outcomes


@pytest.mark.parametrize(("end", "found"), [(5, 5), (4, 0)], ids=["another wrote", "lost"])
def test_a_state_beyond_the_end_that_was_known_is_trusted_up_to_the_end_there_is(
    tmp_path: Path, end: int, found: int
) -> None:
    local = LocalFolder(tmp_path, "", RULES, {0: 3}, lambda: {0: end})
    state = local.open(0)
    state.write({}, msgspec.structs.replace(state.meta, offset=5))
    state.close()
    assert local.open(0).meta.offset == found


def test_the_folder_of_another_partition_is_made_anew(tmp_path: Path) -> None:
    local = LocalFolder(tmp_path, "", RULES, {0: 5, 1: 5})
    for partition in (0, 1):
        state = local.open(partition)
        state.write({}, msgspec.structs.replace(state.meta, offset=5))
        state.close()
    (tmp_path / "0-0").rename(tmp_path / "between")
    (tmp_path / "1-0").rename(tmp_path / "0-0")
    (tmp_path / "between").rename(tmp_path / "1-0")
    assert [local.open(partition).meta.offset for partition in (0, 1)] == [0, 0]


@pytest.mark.parametrize("meta", [b"garbage", b'{"identity": ""}'])
def test_a_state_that_does_not_say_what_it_is_is_made_anew(tmp_path: Path, meta: bytes) -> None:
    local = LocalFolder(tmp_path, "", RULES, {0: 5})
    state = local.open(0)
    state.write({}, msgspec.structs.replace(state.meta, offset=5))
    state.close()
    with (
        lmdb.open(str(tmp_path / "0-0"), max_dbs=3, lock=False) as file,
        file.begin(write=True) as t,
    ):
        assert t.replace(local_state.META_KEY, meta)
    assert local.open(0).meta.offset == 0


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    for name in ("tmp-old", "0-0-copy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").write_bytes(b"a copy")
    LocalFolder(tmp_path, "", RULES, {}).delete_unusable()
    assert {file.read_bytes() for file in tmp_path.glob("*/data.mdb")} == {b"a copy"}


def test_a_folder_that_another_holds_is_left_alone(tmp_path: Path) -> None:
    local = LocalFolder(tmp_path, "", RULES, {})
    one, other = local.open(0), local.open(0)
    assert {path.parent.name for path in tmp_path.glob("*/owner")} == {"0-0", "0-1"}
    one.close()
    other.abandon()
    local.open(0).close()
    assert {path.parent.name for path in tmp_path.glob("*/owner")} == {"0-0", "0-1"}


@pytest.mark.parametrize("damage", ["another topic", "garbage"])
def test_a_folder_whose_state_is_made_anew_is_still_held(tmp_path: Path, damage: str) -> None:
    LocalFolder(tmp_path, "before", RULES, {}).open(0).close()
    if damage == "garbage":
        (tmp_path / "0-0" / "data.mdb").write_bytes(b"garbage")
    local = LocalFolder(tmp_path, "now", RULES, {})
    one, other = local.open(0), local.open(0)
    assert [state.folder.name for state in (one, other)] == ["0-0", "0-1"]


def test_a_state_that_none_may_read_on_from_is_deleted_unless_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = visits(PartitionLog())
    first = log.assigned(tmp_path)
    log.run(first, 10)
    end = len(log.changelog) + 1  # something was written since
    local = LocalFolder(tmp_path, "", log.rules, {0: end})
    (file,) = tmp_path.glob("0-0/data.mdb")
    later = time.time() + MOST_BEHIND.total_seconds() + 60
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: later)
        local.delete_unusable()
        assert file.exists()  # held
        first.devices.close()
        replace(local, ends={0: len(log.changelog)}).delete_unusable()
        assert file.exists()  # complete
    local.delete_unusable()
    assert file.exists()  # not so far behind
    monkeypatch.setattr(time, "time", lambda: later)
    local.delete_unusable()
    assert not file.exists()
    file.write_bytes(b"garbage")
    local.delete_unusable()
    assert not file.exists()


def test_the_folder_is_private(tmp_path: Path) -> None:
    log = visits(PartitionLog())
    log.run(log.assigned(tmp_path))
    (file,) = tmp_path.glob("*/data.mdb")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_disk_ends_the_worker_and_loses_nothing(tmp_path: Path) -> None:
    log = of_three_devices(visits(PartitionLog(), devices=300, rounds=1), 0)
    partition = log.assigned(tmp_path)
    log.run(partition, 10)
    (file,) = tmp_path.glob("*/data.mdb")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, limits[1]))
    try:
        with pytest.raises(lmdb.Error, match="File too large"):
            log.run(partition)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    killed(partition)
    partition = log.assigned(tmp_path)
    while log.run(partition, 100):
        pass
    assert log.accepted() == undisturbed(log).outcomes
