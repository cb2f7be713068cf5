"""What ingest counts: every name and its meaning, plain numbers, and Prometheus' text of them.

A request adds to plain integers, which costs it less than a microsecond; Prometheus' own objects
are made only when it asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

# Of all metrics; docs/operating.md has the same lines.
MEANINGS = {
    "pipeline_ingest_requests_total": "Requests to /beacon answered, by status.",
    "pipeline_ingest_malformed_total": "What never became a request, by the status it got.",
    "pipeline_ingest_events_total": "Events accepted and durable, by type.",
    "pipeline_ingest_rejected_total": "Events refused and kept as refused, by reason.",
    "pipeline_ingest_limited_total": "Requests over their store's rate (429), by store.",
    "pipeline_ingest_body_bytes_total": "Bytes of bodies read, inflated.",
    "pipeline_ingest_ack_seconds": "From the end of validation until durable, or given up.",
    "pipeline_ingest_spool_records": "Records in the spool, waiting for Kafka.",
    "pipeline_ingest_spool_bytes": "Bytes of the spool, and of its WAL beyond 1 MiB.",
    "pipeline_ingest_spool_oldest_seconds": "Age of the oldest record in the spool.",
    "pipeline_ingest_circuit_open": "1 while records go to the spool instead of Kafka.",
    "pipeline_ingest_clock_ahead_seconds": "Ingest's clock before Kafka's; less than 0: behind.",
    "pipeline_ingest_stores": "Stores that may send.",
    "pipeline_ingest_stores_outdated": "1 while the stores' file cannot be used, and is not.",
}
# Kafka acknowledges in 5 to 8 ms on a good day; after 5 s a request gives up.
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics(Collector):
    """One app's counts. `gauges` gives what is measured when asked, by metric name."""

    def __init__(self, gauges: Callable[[], dict[str, float]]) -> None:
        self._gauges = gauges
        self.requests: Counter[int] = Counter()
        self.malformed: Counter[int] = Counter()
        self.events: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.limited: Counter[str] = Counter()
        self.body_bytes = 0
        self._acks = [0] * (len(BUCKETS) + 1)
        self._ack_sum = 0.0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def observe_ack(self, seconds: float) -> None:
        """Count one wait for durability."""
        self._acks[bisect_left(BUCKETS, seconds)] += 1
        self._ack_sum += seconds

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Prometheus' own shape of the counts, one family for each name."""
        counted: dict[str, tuple[str, Mapping[Any, int]]] = {
            "pipeline_ingest_requests_total": ("status", self.requests),
            "pipeline_ingest_malformed_total": ("status", self.malformed),
            "pipeline_ingest_events_total": ("type", self.events),
            "pipeline_ingest_rejected_total": ("reason", self.rejected),
            "pipeline_ingest_limited_total": ("store", self.limited),
        }
        gauges = self._gauges()
        for name, meaning in MEANINGS.items():
            if name in counted:
                label, counts = counted[name]
                family = CounterMetricFamily(name, meaning, labels=[label])
                for value, count in sorted(counts.items()):
                    family.add_metric([str(value)], count)
                yield family
            elif name == "pipeline_ingest_body_bytes_total":
                yield CounterMetricFamily(name, meaning, value=self.body_bytes)
            elif name == "pipeline_ingest_ack_seconds":
                yield HistogramMetricFamily(
                    name, meaning, buckets=self._buckets(), sum_value=self._ack_sum
                )
            else:
                yield GaugeMetricFamily(name, meaning, value=gauges[name])

    def _buckets(self) -> list[tuple[str, float]]:
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self._acks, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets
