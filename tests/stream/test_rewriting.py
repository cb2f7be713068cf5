"""Nothing of what was erased stays on a worker's disk, and the worker goes on meanwhile (E1)."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError
from factories import MINUTE, MORNING, RULES, click, make_event
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_log import FakeRecord, PartitionLog, killed, undisturbed, visits

from pipeline.stream import rewriting
from pipeline.stream.local_folder import MOST_BEHIND, LocalFolder
from pipeline.stream.local_state import LocalState
from pipeline.stream.partition import PartitionState
from pipeline.stream.standby import apply
from pipeline.stream.state_file import HOURS, ROWS
from pipeline.stream.upkeep import delete_regularly, rewrite_regularly

PLANTED = "a-token-of-nobody-else"
KEYS = [b"device-%d" % number for number in range(6)]


@pytest.fixture(autouse=True)
def _little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "_COPIED_BYTES", 1)
    monkeypatch.setattr(rewriting, "_GIVEN_BACK_BYTES", 10_000)


def planted(tmp_path: Path) -> tuple[PartitionLog, PartitionState]:
    """A worker that has written the state of a device with a text that no other has."""
    log = visits(PartitionLog(), devices=40, rounds=1)
    log.send(click(50, PLANTED), device="d:gone")
    partition = log.assigned(tmp_path)
    log.run(partition)
    assert is_planted(tmp_path)
    log.erase(60, device="d:gone")
    return log, partition


def is_planted(folder: Path) -> bool:
    return any(PLANTED.encode() in path.read_bytes() for path in files(folder))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def rewritten(state: LocalState) -> int:
    """Write its file again, to the end; returns in how many steps."""
    steps = 0
    while state.is_rewriting:
        state.rewrite_some()
        steps += 1
    return steps


def contents(state: LocalState) -> list[list[tuple[bytes, bytes]]]:
    with state._file.reading() as tables:  # noqa: SLF001  # no other way to see all of it
        return [list(tables.cursor(table)) for table in (ROWS, HOURS)]


def test_e1_what_is_erased_is_in_no_file(tmp_path: Path) -> None:
    log, partition = planted(tmp_path)
    log.run(partition)
    assert rewritten(partition.devices.store) > 80  # rows and their hours, one at a time
    assert not is_planted(tmp_path)
    (file,) = tmp_path.glob("*/data.mdb")
    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in files(tmp_path)} == {"data.mdb", "owner"}
    log.send(make_event(minute=70))
    log.run(partition)
    assert log.accepted() == undisturbed(log).outcomes


def test_e1_nor_where_its_bytes_came_into_a_page_that_is_in_use(tmp_path: Path) -> None:
    log = PartitionLog()
    for number in range(40):
        log.send(click(number, PLANTED if number % 3 else "other"), device=f"d:{number}")
    partition = log.assigned(tmp_path)
    log.run(partition)
    for number in range(20):  # each has a page for itself, not full, in memory that was used before
        events = [click(60 + minute, f"{minute:032}") for minute in range(22)]
        log.send(*events, device=f"d:large-{number}")
    log.run(partition)
    assert 2100 < max(len(value) for value in log.state().values()) < 3500
    for number in range(40):
        log.erase(90, device=f"d:{number}")
    log.run(partition)
    store = partition.devices.store
    assert all(PLANTED.encode() not in value for _, value in contents(store)[ROWS])
    (copy := tmp_path / "copy").mkdir()
    store._file.env.copy(str(copy), compact=True)  # noqa: SLF001  # what is not enough
    assert is_planted(copy)
    (copy / "data.mdb").unlink()
    rewritten(store)
    assert not is_planted(tmp_path)


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(
                st.sampled_from(["write", "write_unindexed"]),
                st.dictionaries(st.sampled_from(KEYS), st.integers(0, 9), min_size=1),
            ),
            st.tuples(st.sampled_from(["index", "due", "erase"]), st.integers(0, 30)),
            st.tuples(st.just("rewrite"), st.integers(1, 6)),
        ),
        max_size=60,
    )
)
@settings(deadline=None, max_examples=60)
def test_a_store_is_the_same_whatever_happens_while_it_is_written_again(
    tmp_path_factory: pytest.TempPathFactory,
    states: list[bytes | None],
    steps: list[tuple[str, object]],
) -> None:
    def opened() -> LocalState:
        return LocalFolder(tmp_path_factory.mktemp("state"), "", RULES, {}).open(0)

    left, other = opened(), opened()
    first = {key: {b"w" * 16: states[0]} for key in KEYS}
    for state in (left, other):
        state.write(first, state.meta)
        state.erased()
    for name, value in steps:
        if name == "rewrite":
            for _ in range(value):
                if other.is_rewriting:
                    other.rewrite_some()
            continue
        for state in (left, other):
            take(state, name, value, states)
    if other.is_rewriting:
        other.rewrite_some()
        rewritten(other)
    assert contents(other) == contents(left)
    assert other.meta.has_unindexed == left.meta.has_unindexed
    path = other.folder
    other.close()
    again = LocalFolder(path.parent, "", RULES, {}).open(0)
    assert contents(again) == contents(left)
    left.close()
    again.close()


def take(state: LocalState, name: str, value: object, states: list[bytes | None]) -> None:
    """One step of a story."""
    if name == "erase":
        state.erased()
    elif name == "index":
        state.index_some(b"", int(str(value)))
    elif name == "due":
        state.due(MORNING + int(str(value)) * 8 * 60 * MINUTE, b"", 3)
    else:
        assert isinstance(value, dict)
        changes = {key: {b"w" * 16: states[n % len(states)]} for key, n in value.items()}
        getattr(state, name)(changes, state.meta)


@pytest.fixture(scope="module")
def states() -> list[bytes | None]:
    """Of devices that are forgotten at different hours; None deletes."""
    log = PartitionLog()
    for number in range(5):
        log.send(make_event(minute=number * 300), device=f"d:{number}")
    log.run(log.assigned())
    return [*log.state().values(), None]


def test_e1_what_is_erased_meanwhile_goes_too(tmp_path: Path) -> None:
    log, partition = planted(tmp_path)
    log.send(click(70, f"second-{PLANTED}"), device="d:next")
    log.erase(80, device="d:next")
    log.run(partition, 1)
    store = partition.devices.store
    for _ in range(60):  # all rows, and some of their hours
        store.rewrite_some()
    log.run(partition, 1)
    store.rewrite_some()
    log.run(partition, 1)
    rewritten(store)
    assert not is_planted(tmp_path)


@pytest.mark.parametrize("ends", ["is killed", "is stopped"])
def test_e1_whatever_ends_the_worker_the_next_one_finishes_it(tmp_path: Path, ends: str) -> None:
    log, partition = planted(tmp_path)
    log.run(partition)
    steps = rewritten(partition.devices.store)
    for after in range(0, steps, 7):
        folder = tmp_path / str(after)
        log, partition = planted(folder)
        log.run(partition)
        for _ in range(after):
            partition.devices.store.rewrite_some()
        if ends == "is killed":
            killed(partition)
        else:
            partition.devices.close()
            assert {path.name for path in files(folder)} == {"data.mdb", "owner"}
        state = log.assigned(folder).devices.store
        rewritten(state)
        assert not is_planted(folder)
        assert {path.name for path in files(folder)} == {"data.mdb", "owner"}
        assert {bytes(key) for key, _ in contents(state)[ROWS]} == rows_of(log)
        state.close()


def rows_of(log: PartitionLog) -> set[bytes]:
    alone = PartitionLog(beacons=log.beacons, changelog=log.changelog, commit=log.commit)
    return {bytes(key) for key, _ in contents(alone.assigned().devices.store)[ROWS]}


def test_e1_a_kill_where_the_files_change_places_leaves_one_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, partition = planted(tmp_path)
    log.run(partition)

    def kill(*_: object) -> None:
        raise InterruptedError

    monkeypatch.setattr(Path, "replace", kill)
    with pytest.raises(InterruptedError):
        rewritten(partition.devices.store)
    monkeypatch.undo()
    killed(partition)
    again = log.assigned(tmp_path).devices
    assert again.next_offset == len(log.changelog)
    rewritten(again.store)
    assert not is_planted(tmp_path)


def test_e1_a_kill_once_the_states_are_written_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, partition = planted(tmp_path)

    def kill(*_: object) -> None:
        raise InterruptedError

    monkeypatch.setattr(LocalState, "erased", kill)
    with pytest.raises(InterruptedError):
        log.run(partition)
    monkeypatch.undo()
    killed(partition)
    rewritten(log.assigned(tmp_path).devices.store)
    assert not is_planted(tmp_path)


def test_e1_a_worker_that_returns_drops_what_was_erased_elsewhere(tmp_path: Path) -> None:
    log, partition = planted(tmp_path)
    partition.devices.close()
    log.run(log.assigned())
    assert PLANTED.encode() not in b"".join(log.state().values())
    rewritten(log.assigned(tmp_path).devices.store)
    assert not is_planted(tmp_path)


def test_e1_a_standby_drops_what_was_erased(tmp_path: Path) -> None:
    log, partition = planted(tmp_path)
    partition.devices.close()
    log.run(log.assigned())
    state = LocalFolder(tmp_path, "", log.rules, {0: len(log.changelog)}).open(0)
    records = [FakeRecord(at, key, value) for at, (key, value) in enumerate(log.changelog)]
    following = state.meta.offset
    apply(state, records[following:])
    assert state.meta.offset == len(log.changelog)
    more = [FakeRecord(len(records), b"w" * 16 + b"device", log.changelog[0][1])]
    apply(state, more)  # nothing is erased in it, and it is not done
    rewritten(state)
    assert not is_planted(tmp_path)


def looked(local: LocalFolder, *answers: dict[int, int] | Exception) -> None:
    """What a worker does every hour, once for each of `answers`: where the changelog ends."""
    left = iter(answers)

    async def ends() -> dict[int, int]:
        answer = next(left, InterruptedError())
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(InterruptedError):
        asyncio.run(delete_regularly(local, ends, every=timedelta()))


def test_e1_what_was_erased_goes_with_a_partition_that_nobody_here_owns_now(tmp_path: Path) -> None:
    log, partition = planted(tmp_path)
    log.run(partition)
    end = len(log.changelog)
    local = LocalFolder(tmp_path, "", log.rules, {0: end})
    looked(local, {0: end})
    partition.devices.close()
    assert is_planted(tmp_path)  # another worker has the partition
    local.delete_unusable()
    assert is_planted(tmp_path)  # it may return
    looked(local, KafkaConnectionError(), {0: end})
    assert not is_planted(tmp_path)


def test_e1_what_is_erased_elsewhere_is_gone_half_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, partition = planted(tmp_path)
    partition.devices.close()
    before, local = len(log.changelog), LocalFolder(tmp_path, "", log.rules, {})
    log.run(log.assigned())  # the owner
    end = len(log.changelog)
    looked(local, {0: end})
    assert is_planted(tmp_path)
    local.ends[0] = before
    later = time.time() + MOST_BEHIND.total_seconds() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    local.delete_unusable()
    assert is_planted(tmp_path)  # as far as it knows it lacks nothing
    looked(local, {0: end})
    assert not is_planted(tmp_path)


def test_records_are_answered_between_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes 4.5 ms; the loop is busy for so long between two goes."""
    busy, done = iter([0.0, 0.0, 0.06, 0.5]), []
    now = [0.0]

    class Store:
        @property
        def is_rewriting(self) -> bool:
            return done[-1] < 50

        def rewrite_some(self) -> None:
            now[0] += 0.0045
            done[-1] += 1

    async def sleep(seconds: float) -> None:
        now[0] += max(seconds, next(busy))
        done.append(0)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(RuntimeError):  # `busy` has no more
        asyncio.run(rewrite_regularly(lambda: [Store()] if done else []))  # type: ignore[list-item]  # as far as it is used
    # After a second without any, a fifth of 20 ms, of 60 ms, and never more than 20 ms.
    assert done == [5, 2, 4, 5]
