"""What the processes of a running `pipeline up` serve, and what it says."""

from __future__ import annotations

import pytest
import urllib3
from operated import Operated, event, families, http, value
from processes import wait_for

from pipeline.monitoring.declarations import METRICS
from pipeline.topics import topics

NAMES = {
    "up": "supervisor",
    "ingest": "ingest",
    "worker": "worker",
    "worker-2": "worker",
    "load": "loader",
    "dashboard": "dashboard",
}


def is_served(url: str) -> bool:
    try:
        return "pipeline_info" in families(url)
    except urllib3.exceptions.HTTPError:
        return False


def test_each_process_has_an_address_of_its_own(running: Operated) -> None:
    assert set(running.urls) == set(NAMES)
    assert len(set(running.urls.values())) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_declared_is_what_is_served(running: Operated, name: str) -> None:
    served = {
        key: family
        for key, family in families(running.urls[name]).items()
        if not key.startswith(("process_", "python_"))
    }
    declared = {metric.name: metric for metric in METRICS[NAMES[name]]}
    assert served.keys() == declared.keys()
    for key, family in served.items():
        metric = declared[key]
        assert (family.type, family.documentation) == (metric.kind, metric.meaning)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), key


@pytest.mark.parametrize("name", NAMES)
def test_each_process_is_alive_and_ready(running: Operated, name: str) -> None:
    assert running.page(name, "livez").status == 200
    wait_for(lambda: running.page(name, "readyz").status == 200)
    assert running.page(name, "readyz").json()["status"] == "ready"


def test_workers_count_what_they_answered(running: Operated) -> None:
    urls = [running.urls[name] for name in ("worker", "worker-2")]

    def total(name: str) -> float:
        return sum(value(url, name) for url in urls)

    # A partition that moves at the start may be read again in part.
    assert total("pipeline_worker_records_total") >= 21
    assert total("pipeline_worker_events_total") >= 21
    assert total("pipeline_worker_failed_events_total") == 0
    assert total("pipeline_worker_changelog_records_total") >= 20
    assert total("pipeline_worker_batch_seconds_count") > 0
    wait_for(lambda: total("pipeline_worker_partitions") == 4)


def test_workers_that_have_caught_up_have_no_lag_in_any_partition(running: Operated) -> None:
    def lags(name: str) -> dict[str, float]:
        return {
            sample.labels["partition"]: sample.value
            for worker in ("worker", "worker-2")
            for sample in families(running.urls[worker])[name].samples
        }

    none = dict.fromkeys("0123", 0.0)
    wait_for(lambda: lags("pipeline_worker_lag_records") == none)
    assert lags("pipeline_worker_lag_seconds") == none


def test_the_loader_counts_what_it_loaded_and_published(running: Operated) -> None:
    url = running.urls["load"]
    assert value(url, "pipeline_loader_records_total") == 22
    assert value(url, "pipeline_loader_events_total") == 20
    assert value(url, "pipeline_loader_duplicates_total") == 1
    assert value(url, "pipeline_loader_rejected_events_total") == 1
    assert value(url, "pipeline_loader_transaction_seconds_count") > 0
    wait_for(lambda: value(url, "pipeline_loader_publish_seconds_count") > 0)
    assert value(url, "pipeline_loader_publish_failures_total") == 0
    wait_for(lambda: value(url, "pipeline_loader_unpublished_seconds") == 0)
    assert value(url, "pipeline_loader_snapshot_bytes") > 10_000
    assert value(url, "pipeline_loader_live_bytes") > 10_000
    assert value(url, "pipeline_loader_disk_free_bytes") > 0
    assert value(url, "pipeline_loader_kafka_up") == 1


def test_the_loader_s_lag_is_by_topic_and_partition(running: Operated) -> None:
    ours = topics(running.settings)

    def lags() -> dict[tuple[str, str], float]:
        return {
            (sample.labels["topic"], sample.labels["partition"]): sample.value
            for sample in families(running.urls["load"])["pipeline_loader_lag_records"].samples
        }

    places = {
        (topic.name, str(number))
        for topic in (ours.outcomes, ours.rejected)
        for number in range(topic.partitions)
    }
    wait_for(lambda: lags() == dict.fromkeys(places, 0.0))


def test_the_dashboard_counts_its_pages(running: Operated) -> None:
    url = running.urls["dashboard"]
    before = value(url, "pipeline_dashboard_pages_total", status="200")
    text = running.said()
    page = next(line.split(" at ")[1] for line in text.splitlines() if "dashboard at" in line)
    assert http.request("GET", page).status == 200
    assert value(url, "pipeline_dashboard_pages_total", status="200") == before + 1
    assert value(url, "pipeline_dashboard_page_seconds_count") == before + 1


def test_a_restart_is_counted_and_keeps_its_address(running: Operated) -> None:
    url = running.urls["up"]
    running.child("worker", 1).kill()
    wait_for(lambda: value(url, "pipeline_supervisor_restarts_total", process="worker-2") == 1)
    assert value(url, "pipeline_supervisor_restarts_total", process="worker") == 0
    assert value(url, "pipeline_supervisor_deaths_in_a_row", process="worker-2") == 1

    wait_for(lambda: is_served(running.urls["worker-2"]))
    wait_for(lambda: value(url, "pipeline_supervisor_running", process="worker-2") == 1)
    names = [
        sample.labels["name"]
        for name in ("worker", "worker-2")
        for sample in families(running.urls[name])["pipeline_info"].samples
    ]
    assert [name[-2:] for name in names] == ["-1", "-2"]


def test_states_are_counted_once_they_are_in_the_local_store(running: Operated) -> None:
    def total(name: str) -> float:
        return sum(value(running.urls[worker], name) for worker in ("worker", "worker-2"))

    # Some seconds after the last time, the next batch takes along what waits.
    wait_for(
        lambda: total("pipeline_worker_devices") > 0,
        each=lambda: [running.send(event(number)) for number in range(20)],
    )
    assert total("pipeline_worker_state_bytes") > 0
    wait_for(
        lambda: total("pipeline_worker_memory_bytes") > 0,
        each=lambda: [running.send(event(number)) for number in range(20)],
    )
