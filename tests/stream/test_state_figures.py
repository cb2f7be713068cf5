"""What a worker says of its state, and what `pipeline status` makes of it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from factories import make_event
from stream_log import PartitionLog

from pipeline.config import Settings
from pipeline.status import state_sizes
from pipeline.status.state_sizes import StateSize, table
from pipeline.stream.state_figures import Figures, ReadingRate, known_rate, read_figures, write

FIGURES = Figures(
    partition=0,
    is_standby=False,
    devices=2_000,
    memory_bytes=1_500_000,
    disk_bytes=4_000_000,
    records_per_second=500.0,
    written_at=0,
)


def written(home: Path, folder: str, *, ago: float = 0, **values: object) -> None:
    path = home / "state" / folder
    path.mkdir(parents=True, exist_ok=True)
    one = msgspec.structs.replace(FIGURES, written_at=time.time() - ago, **values)
    (path / "figures.json").write_bytes(msgspec.json.encode(one))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose changelog has 3 MB in partition 0."""
    monkeypatch.setattr(state_sizes, "topic_bytes", lambda *_: {0: 3_000_000})
    return Settings(_env_file=None, home=tmp_path, partitions=2)


def test_figures_are_those_of_the_partition(tmp_path: Path) -> None:
    log = PartitionLog()
    for number in range(3):
        log.send(make_event(minute=number), device=f"d:{number}")
    partition = log.assigned(tmp_path / "state")
    log.run(partition)
    devices = partition.devices
    write((0, devices.store, devices.memory_bytes), ReadingRate(7.0))
    (found,) = read_figures(tmp_path)
    assert (found.devices, found.is_standby, found.records_per_second) == (3, False, 7.0)
    assert found.memory_bytes > sum(map(len, log.state().values()))
    assert found.disk_bytes == (devices.store.folder / "data.mdb").stat().st_size


def test_a_rate_is_that_of_the_latest_reading_of_enough_records() -> None:
    rate = ReadingRate(None, least=3)
    rate.before()
    rate.applied(2)
    assert rate.per_second is None
    rate.before()
    rate.applied(1)
    first = rate.per_second
    assert first is not None
    rate.begin()
    rate.before()
    rate.applied(1)
    assert rate.per_second == first
    rate.before()
    time.sleep(0.01)
    rate.applied(2)
    assert rate.per_second not in (first, None)


def test_a_worker_that_starts_knows_the_rate_of_the_one_before(tmp_path: Path) -> None:
    assert known_rate(tmp_path / "state") is None
    written(tmp_path, "0-0", ago=5000, records_per_second=1.0)
    written(tmp_path, "1-0", ago=4000, records_per_second=2.0)
    written(tmp_path, "2-0", ago=3000, records_per_second=None)
    assert known_rate(tmp_path / "state") == 2.0


def test_a_size_is_of_its_owner_and_on_disk_of_the_standby_too(home: Settings) -> None:
    written(home.home, "0-0", is_standby=True, devices=1, memory_bytes=0)
    written(home.home, "0-1")
    owned, other = state_sizes.state_sizes(home)
    assert owned == StateSize(0, 2_000, 1_500_000, 8_000_000, 3_000_000, 4.0)
    assert other == StateSize(1, None, None, None, None, None)
    assert table([owned, other]).rows == [
        (0, 2_000, "1.5", "8.0", "3.0", "4.0"),
        (1, None, None, None, None, None),
    ]


def test_a_standby_alone_has_no_figure_of_memory(home: Settings) -> None:
    written(home.home, "0-0", is_standby=True, memory_bytes=0)
    assert state_sizes.state_sizes(home)[0].memory_bytes is None


def test_figures_of_a_worker_that_was_killed_are_left_out(home: Settings) -> None:
    written(home.home, "0-0", ago=120)
    (home.home / "state" / "1-0").mkdir()
    (home.home / "state" / "1-0" / "figures.json").write_bytes(b"{}")
    assert [one.devices for one in state_sizes.state_sizes(home)] == [None, None]
