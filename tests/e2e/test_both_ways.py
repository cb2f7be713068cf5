"""The tables are equal whether events come over HTTP and Kafka or from files."""

from __future__ import annotations

from pathlib import Path

import pytest
from beacons import write_traffic
from processes import wait_published
from tables import ARRIVAL, broken_checks, differing, exported

from pipeline.config import Settings
from pipeline.replay.local import replay
from pipeline.replay.send import send

SHARED = Path(__file__).parents[3] / "shared" / "data"


def both_ways_are_equal(
    file: Path, settings: Settings, url: str, tokens: dict[str, str], leave_out: set[str]
) -> None:
    assert send([str(file)], url, tokens) == 0
    wait_published(settings)
    folder = Path(settings.home)
    alone = folder / "alone.duckdb"
    replay([str(file)], database=alone, rules=settings.rules)
    sent = exported(settings.database, folder / "sent", leave_out=leave_out)
    assert differing(sent, exported(alone, folder / "alone", leave_out=leave_out)) == []
    assert sent["events"].count(b"\n") > 1
    for database in (settings.database, alone):
        assert broken_checks(database) == []


def test_generated_traffic(settings: Settings, url: str, tokens: dict[str, str]) -> None:
    file = write_traffic(Path(settings.home) / "traffic.ndjson", seed=7, devices=150)
    both_ways_are_equal(file, settings, url, tokens, leave_out=set())


@pytest.fixture(params=["ubi", pytest.param("zozo", marks=pytest.mark.long)])
def real_data(request: pytest.FixtureRequest) -> Path:
    file = SHARED / f"{request.param}.ndjson.gz"
    if not file.exists():
        pytest.skip(f"{file.name} is not in this checkout's neighbourhood")
    return file


# `real_data` comes first: without the file nothing is started.
def test_real_data(real_data: Path, settings: Settings, url: str, tokens: dict[str, str]) -> None:
    # Its lines are single events: the sender decides how to batch them.
    both_ways_are_equal(real_data, settings, url, tokens, leave_out=ARRIVAL)
