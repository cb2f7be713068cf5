"""The whole way of an event: over HTTP and Kafka, or from files alone, the tables are equal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from beacons import write_traffic
from processes import Verb, wait_for
from tables import ARRIVAL, broken_checks, differing, exported

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka_admin import create_topics
from pipeline.local import replay
from pipeline.send import send
from pipeline.status import status
from pipeline.traffic import STORES

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def tokens(settings: Settings) -> dict[str, str]:
    """Of each store that a file may name, and of the one where a line names none."""
    made = {store: new_token() for store in (*STORES, "local")}
    write_stores(
        settings.stores,
        {
            store: {"tokens_sha256": [digest], "backfill": True}
            for store, (_, digest) in made.items()
        },
    )
    return {"" if store == "local" else store: token for store, (token, _) in made.items()}


@pytest.fixture
def url(settings: Settings, tokens: dict[str, str]) -> Iterator[str]:  # noqa: ARG001  # first
    """Ingest, a worker and a loader are running; where ingest listens."""
    create_topics(settings)
    running = [Verb(verb, settings) for verb in ("ingest", "worker", "load")]
    try:
        wait_for(lambda: "ingest: http" in running[0].said())
        found = re.search(r"ingest: (\S+)", running[0].said())
        assert found is not None
        yield found[1]
        for verb in running:
            assert verb.stop() == 0, verb.said()
            assert "Traceback" not in verb.said()
    finally:
        for verb in running:
            verb.kill()


def is_published(settings: Settings) -> bool:
    return status(settings).is_published


def both_ways_are_equal(
    file: Path, settings: Settings, url: str, tokens: dict[str, str], leave_out: set[str]
) -> None:
    assert send([str(file)], url, tokens) == 0
    wait_for(lambda: is_published(settings))
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


@pytest.fixture(params=["ubi", "zozo"])
def real_data(request: pytest.FixtureRequest) -> Path:
    file = SHARED / f"{request.param}.ndjson.gz"
    if not file.exists():
        pytest.skip(f"{file.name} is not in this checkout's neighbourhood")
    return file


# `real_data` is first: nothing is started for a file that is not there.
def test_real_data(real_data: Path, settings: Settings, url: str, tokens: dict[str, str]) -> None:
    # Its lines are events alone: when, and with which others, they arrive is the sender's choice.
    both_ways_are_equal(real_data, settings, url, tokens, leave_out=ARRIVAL)
