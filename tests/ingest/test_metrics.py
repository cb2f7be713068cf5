from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pipeline.ingest.metrics import MEANINGS, Metrics

GAUGES = [
    name
    for name in MEANINGS
    if not name.endswith("_total") and name != "pipeline_ingest_ack_seconds"
]
OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


def metrics_of_a_day() -> Metrics:
    metrics = Metrics(lambda: dict.fromkeys(GAUGES, 7.0))
    metrics.requests.update([204, 204, 401])
    metrics.events.update(["search", "purchase", "search"])
    metrics.rejected["too_old"] += 1
    metrics.limited['a "b"\n'] += 1
    metrics.body_bytes += 10
    for seconds in (0.001, 0.002, 0.0021, 99):
        metrics.observe_ack(seconds)
    return metrics


def values(metrics: Metrics) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(metrics.text().decode())
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
    metrics_of_a_day()
    fresh = Metrics(lambda: dict.fromkeys(GAUGES, 0.0))
    assert ("pipeline_ingest_requests_total", "204") not in values(fresh)


def test_every_metric_is_served_and_stands_in_the_docs_with_its_meaning() -> None:
    text = metrics_of_a_day().text().decode()
    assert set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) == set(MEANINGS)
    for name, meaning in MEANINGS.items():
        assert f"| `{name}` | {meaning} |" in OPERATING.read_text()
