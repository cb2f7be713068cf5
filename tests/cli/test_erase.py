"""Whom `pipeline erase` takes a customer's devices to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import Log, make_event
from processes import Pipeline
from warehouse_fixture import RULES, Warehouse

from pipeline.ingest.stores_file import write_stores
from pipeline.warehouse.erasing.customers import devices_of_customer
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

# No Kafka answers there.
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose snapshot has a customer's own device, one that is shared, and others."""
    home = tmp_path / "home"
    home.mkdir()
    warehouse = Warehouse(home / "live.duckdb")
    log = Log(RULES)
    for device, customer in (
        ("d:own", "ann"),
        ("d:own", None),
        ("d:shared", "ann"),
        ("d:shared", "ben"),
        ("d:bens", "ben"),
        ("d:nobodys", None),
    ):
        log.send(make_event(customer_id=customer), device=device)
    log.send(make_event(customer_id="ben"), store="other", device="d:own")
    log.send(make_event(customer_id="ann"), store="other", device="d:elsewhere")
    warehouse.load(log.outcomes)
    SnapshotPublisher(warehouse.connection, warehouse.path, home / "analytics.duckdb").publish()
    assert devices_of_customer(warehouse.connection, "store", "ann") == ["d:own", "d:shared"]
    warehouse.connection.close()
    return home


@pytest.mark.parametrize("customer", ["ann", "carl"])
def test_a_customers_devices_are_those_of_the_snapshot(
    home: Path, pipeline: Pipeline, customer: str
) -> None:
    arguments = ("erase", "--store", "store", "--customer", customer)
    done = pipeline(*arguments, home=str(home), kafka_bootstrap_servers=NOWHERE)
    assert done.returncode == 1
    # The first goes on to Kafka.
    expected = NOWHERE if customer == "ann" else "holds no event of customer 'carl'"
    assert expected in done.stderr


def test_someone_must_be_named(home: Path, pipeline: Pipeline) -> None:
    done = pipeline("erase", "--store", "store", home=str(home), kafka_bootstrap_servers=NOWHERE)
    assert done.returncode == 2
    assert "name a --device" in done.stderr


def test_a_store_that_nothing_was_sent_for_gets_no_receipt(home: Path, pipeline: Pipeline) -> None:
    arguments = ("erase", "--device", "own", "--store", "stroe")
    done = pipeline(*arguments, home=str(home), kafka_bootstrap_servers=NOWHERE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "Error: no store 'stroe'; there are: other, store"


def test_a_store_of_ingest_may_have_events_that_are_not_published(
    home: Path, pipeline: Pipeline
) -> None:
    write_stores(home / "stores.toml", {"new": {"tokens_sha256": ["0" * 64]}})
    arguments = ("erase", "--device", "own", "--store", "new")
    done = pipeline(*arguments, home=str(home), kafka_bootstrap_servers=NOWHERE)
    assert NOWHERE in done.stderr  # it goes on to Kafka


@pytest.mark.parametrize(
    "arguments", [("--store", "store", "--device", "own"), ("--before", "2026-01-01")]
)
@pytest.mark.parametrize("exists", [False, True])
def test_away_from_the_loader_nothing_is_made(
    tmp_path: Path, pipeline: Pipeline, arguments: tuple[str, ...], *, exists: bool
) -> None:
    home = tmp_path / "elsewhere"
    if exists:
        home.mkdir()
    done = pipeline("erase", *arguments, home=str(home), kafka_bootstrap_servers=NOWHERE)
    assert done.returncode == 1
    assert f"there is no {home / 'live.duckdb'}: run it where the loader runs" in done.stderr
    assert not list(home.rglob("*"))


@pytest.mark.parametrize("option", ["--device", "--session", "--customer", "--store"])
def test_an_empty_id_names_nobody(home: Path, pipeline: Pipeline, option: str) -> None:
    named = {"--store": "store", "--device": "own", option: ""}
    arguments = [part for pair in named.items() for part in pair]
    done = pipeline("erase", *arguments, home=str(home), kafka_bootstrap_servers=NOWHERE)
    assert (done.returncode, done.stdout) == (2, "")
    assert "an empty id names nobody" in done.stderr
