"""What a worker without local state reads: written in order, and the same however it is read."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest
from factories import make_event
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_log import PartitionLog, opened

from pipeline.stream.local_state import LocalState, Meta
from pipeline.stream.rows import ERASED, Row
from pipeline.stream.sorted_runs import SortedRuns

RECORD = st.tuples(st.sampled_from("abcdefgh"), st.none() | st.binary(max_size=40))


@given(records=st.lists(RECORD, max_size=60), most=st.sampled_from([1, 100, 10_000]))
@settings(deadline=None, max_examples=100)
def test_the_last_state_of_each_row_comes_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[tuple[str, bytes | None]],
    most: int,
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    runs = SortedRuns(folder, most)
    for name, state in records:
        runs.add(name.encode() * 32, name.encode(), state)
    latest = {name: state for name, state in dict(records).items() if state is not None}
    assert list(runs.merged()) == [
        (name.encode() * 32, name.encode(), state) for name, state in sorted(latest.items())
    ]
    runs.close()
    assert list(folder.iterdir()) == []


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
    assert [file for file in tmp_path.rglob("run-*")] == []  # noqa: C416  # shown if it fails


def test_a_kill_while_the_rows_are_written_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, whole = written(), LocalState.append

    def half(store: LocalState, rows: Iterable[Row], _meta: Meta) -> None:
        whole(store, islice(rows, 20), store.meta)
        store.abandon()
        raise InterruptedError

    monkeypatch.setattr(LocalState, "append", half)
    with pytest.raises(InterruptedError):
        log.assigned(tmp_path)
    monkeypatch.undo()
    assert list(tmp_path.rglob("run-*"))
    recovering(log, tmp_path)
    assert list(tmp_path.rglob("run-*")) == []
    assert log.accepted() == undisturbed(log).outcomes


def test_a_partition_that_is_revoked_before_its_first_batch_keeps_what_was_read(
    tmp_path: Path,
) -> None:
    log = written()
    devices = opened(log, tmp_path)
    for offset, (key, value) in enumerate(log.changelog):
        devices.apply(key, value, offset=offset)
    devices.close()
    assert devices.store.meta.offset == len(log.changelog)
    again = opened(log, tmp_path)
    assert again.next_offset == len(log.changelog)
    assert len(again) == len({key for key in log.state() if key != ERASED})
