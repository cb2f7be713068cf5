from __future__ import annotations

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from pipeline.ingest.metrics import METRICS_OF_INGEST, Counts, Measured, gauges_of_all

GAUGES = [name for name, metric in METRICS_OF_INGEST.items() if metric.kind == "gauge"]


def counts_of_a_day() -> Counts:
    counts = Counts()
    for status in (204, 204, 401):
        counts.requests[status] += 1
    for kind in ("search", "purchase", "search"):
        counts.events[kind] += 1
    counts.rejected["too_old"] += 1
    counts.limited['a "b"\n'] += 1
    counts.body_bytes += 10
    for seconds in (0.001, 0.002, 0.0021, 99):
        counts.observe_ack(seconds)
    return counts


def metrics_of_a_day() -> Measured:
    return Measured(counts_of_a_day(), dict.fromkeys(GAUGES, 7.0))


def values(measured: Measured) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(measured.text().decode())
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_is_counted_is_what_prometheus_reads() -> None:
    found = values(metrics_of_a_day())
    assert found["pipeline_ingest_requests_total", "204"] == 2
    assert found["pipeline_ingest_requests_total", "401"] == 1
    assert found["pipeline_ingest_events_total", "search"] == 2
    assert found["pipeline_ingest_rejected_total", "too_old"] == 1
    assert found["pipeline_ingest_limited_total", 'a "b"\n'] == 1
    assert found["pipeline_ingest_body_bytes_total", ""] == 10
    assert found["pipeline_ingest_spool_records", ""] == 7


def test_the_histogram_is_cumulative_and_a_bound_belongs_to_its_bucket() -> None:
    found = values(metrics_of_a_day())
    name = "pipeline_ingest_ack_seconds"
    buckets = [found[f"{name}_bucket", bound] for bound in ("0.002", "0.005", "10.0", "+Inf")]
    assert buckets == [2, 3, 3, 4]
    assert found[f"{name}_count", ""] == 4
    assert 99.005 < found[f"{name}_sum", ""] < 99.006


def test_two_apps_of_one_process_count_apart() -> None:
    counts_of_a_day()
    fresh = Measured(Counts(), dict.fromkeys(GAUGES, 0.0))
    assert ("pipeline_ingest_requests_total", "204") not in values(fresh)


def test_counts_of_several_processes_are_added_up() -> None:
    total = counts_of_a_day()
    # As it comes from another process.
    total.add(msgspec.msgpack.decode(msgspec.msgpack.encode(counts_of_a_day()), type=Counts))
    total.add(Counts())
    once, twice = values(metrics_of_a_day()), values(Measured(total, {}))
    assert {name for name, _ in once} - {name for name, _ in twice} == set(GAUGES)
    assert all(value == 2 * once[key] for key, value in twice.items())


def test_gauges_of_several_processes_are_added_up_or_the_worst_is_shown() -> None:
    names = ("spool_records", "spool_oldest_seconds", "circuit_open", "clock_ahead_seconds")
    each = [dict(zip(names, values, strict=True)) for values in ((1, 5, 0, -9), (2, 3, 1, 4))]
    shown = gauges_of_all({f"pipeline_ingest_{n}": v for n, v in one.items()} for one in each)
    assert list(shown.values()) == [3, 5, 1, -9]


def test_answers_of_503_are_counted_from_the_start_so_that_the_first_one_is_growth() -> None:
    assert b'pipeline_ingest_requests_total{status="503"} 0.0' in Measured(Counts(), {}).text()
