"""What a worker without local state reads: written in order, and the same however it is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import pytest
from factories import make_event
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_log import PartitionLog, opened, recover

from pipeline.stream.local_state import LocalState, Meta
from pipeline.stream.rows import ERASED, Pair, StoredRow, packed, row_of, state_in
from pipeline.stream.sorted_runs import SortedRuns

RECORD = st.tuples(
    st.sampled_from([ERASED, *(bytes([writer]) * 16 + b"device" for writer in b"12345678")]),
    st.none() | st.binary(max_size=40),
)


@given(
    records=st.lists(RECORD, max_size=60),
    fetched=st.integers(1, 60),
    most=st.sampled_from([1, 1000, 100_000]),
)
@settings(deadline=None, max_examples=100)
def test_the_last_state_of_each_row_comes_in_order(
    tmp_path_factory: pytest.TempPathFactory, records: list[Pair], fetched: int, most: int
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    runs = SortedRuns(folder, most)
    for start in range(0, len(records), fetched):
        runs.add(records[start : start + fetched])
    latest = {
        row_of(key[16:], key[:16]): packed(0, key[16:], state)
        for key, state in dict(records).items()
        if key != ERASED and state is not None
    }
    assert [entry for part in runs.merged() for entry in part] == sorted(latest.items())
    runs.close()
    assert list(folder.iterdir()) == []


def test_rows_of_many_devices_come_in_order_however_they_are_fetched(tmp_path: Path) -> None:
    records: list[Pair] = [(b"w" * 16 + b"%d" % (n * 7 % 2000), b"%d" % n) for n in range(5000)]
    found = []
    for fetched, most in ((1, 50_000), (700, 50_000), (5000, 1 << 30)):
        runs = SortedRuns(tmp_path, most)
        for start in range(0, len(records), fetched):
            runs.add(records[start : start + fetched])
        found.append([entry for part in runs.merged() for entry in part])
        runs.close()
    assert found[0] == found[1] == found[2] == sorted(found[0])
    assert {state_in(value) for _, value in found[0]} == {b"%d" % n for n in range(3000, 5000)}


def recovering(log: PartitionLog, folder: Path) -> None:
    """A worker that reads the changelog in many runs, and goes on."""
    partition = log.assigned(folder)
    assert partition.devices.next_offset == len(log.changelog)
    while log.run(partition, 7):
        pass


def written() -> PartitionLog:
    """A log of which a worker has done half, and erased a device; others have little memory."""
    log = PartitionLog(memory=0, write_bytes=1000)
    for number in range(120):
        log.send(make_event(minute=number), device=f"d:{number % 40}")
    log.erase(61, device="d:3")
    partition = log.assigned()
    log.run(partition, 80)
    return log


def undisturbed(log: PartitionLog) -> PartitionLog:
    alone = PartitionLog(log.rules, beacons=log.beacons)
    alone.run(alone.assigned())
    return alone


def test_a_new_store_gets_all_of_the_changelog(tmp_path: Path) -> None:
    log = written()
    recovering(log, tmp_path)
    assert log.accepted() == undisturbed(log).outcomes
    assert [file for file in tmp_path.rglob("runs")] == []  # noqa: C416  # shown if it fails


def test_a_kill_while_the_rows_are_written_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, whole = written(), LocalState.append

    def half(store: LocalState, parts: Iterable[Sequence[StoredRow]], _meta: Meta) -> None:
        whole(store, islice(filter(None, parts), 20), store.meta)
        store.abandon()
        raise InterruptedError

    monkeypatch.setattr(LocalState, "append", half)
    with pytest.raises(InterruptedError):
        log.assigned(tmp_path)
    monkeypatch.undo()
    assert list(tmp_path.rglob("runs"))
    recovering(log, tmp_path)
    assert list(tmp_path.rglob("runs")) == []
    assert log.accepted() == undisturbed(log).outcomes


def test_a_partition_that_is_revoked_before_its_first_batch_keeps_what_was_read(
    tmp_path: Path,
) -> None:
    log = written()
    devices = opened(log, tmp_path)
    recover(devices, log.changelog)
    devices.close()
    assert devices.store.meta.offset == len(log.changelog)
    again = opened(log, tmp_path)
    assert again.next_offset == len(log.changelog)
    assert len(again) == len({key for key in log.state() if key != ERASED})
