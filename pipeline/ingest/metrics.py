"""What ingest counts: every name and its meaning, plain numbers, and Prometheus' text of them.

A request adds to plain integers, which costs it less than a microsecond; Prometheus' own objects
are made only when it asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
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
    "pipeline_ingest_processes": "Ingest processes that answer.",
}
# Kafka acknowledges in 5 to 8 ms on a good day; after 5 s a request gives up.
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


# Of several processes the gauges that are sums; of the others the one furthest from 0 counts.
SUMMED = {
    "pipeline_ingest_spool_records",
    "pipeline_ingest_spool_bytes",
    "pipeline_ingest_processes",
}


@dataclass(slots=True)
class Counts:
    """What one process has counted since its start."""

    requests: dict[int, int] = field(default_factory=Counter)
    malformed: dict[int, int] = field(default_factory=Counter)
    events: dict[str, int] = field(default_factory=Counter)
    rejected: dict[str, int] = field(default_factory=Counter)
    limited: dict[str, int] = field(default_factory=Counter)
    body_bytes: int = 0
    acks: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    """By bucket, not cumulative."""
    ack_seconds: float = 0.0

    def observe_ack(self, seconds: float) -> None:
        """Count one wait for durability."""
        self.acks[bisect_left(BUCKETS, seconds)] += 1
        self.ack_seconds += seconds

    def add(self, other: Counts) -> None:
        """Count what another process has counted."""
        for name in (each.name for each in fields(self)):
            ours, theirs = getattr(self, name), getattr(other, name)
            if isinstance(ours, dict):
                for label, count in theirs.items():
                    ours[label] += count
            elif isinstance(ours, list):
                ours[:] = map(sum, zip(ours, theirs, strict=True))
            else:
                setattr(self, name, ours + theirs)


@dataclass(frozen=True, slots=True)
class Measured:
    """The counts, and what is measured when asked, by metric name."""

    counts: Counts
    gauges: dict[str, float]

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Metrics(self.counts, self.gauges))
        return generate_latest(registry)


def gauges_of_all(each: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The gauges of several processes as those of one."""
    found = list(each)
    names = [name for name in MEANINGS if any(name in gauges for gauges in found)]
    return {
        name: sum(values) if name in SUMMED else max(values, key=abs)
        for name in names
        for values in [[gauges[name] for gauges in found if name in gauges]]
    }


@dataclass(frozen=True, eq=False)
class _Metrics(Collector):
    counts: Counts
    gauges: dict[str, float]

    def collect(self) -> Iterator[Metric]:
        """Prometheus' own shape of the counts, one family for each name."""
        counted: dict[str, tuple[str, Mapping[Any, int]]] = {
            "pipeline_ingest_requests_total": ("status", self.counts.requests),
            "pipeline_ingest_malformed_total": ("status", self.counts.malformed),
            "pipeline_ingest_events_total": ("type", self.counts.events),
            "pipeline_ingest_rejected_total": ("reason", self.counts.rejected),
            "pipeline_ingest_limited_total": ("store", self.counts.limited),
        }
        for name, meaning in MEANINGS.items():
            if name in counted:
                label, counts = counted[name]
                family = CounterMetricFamily(name, meaning, labels=[label])
                for value, count in sorted(counts.items()):
                    family.add_metric([str(value)], count)
                yield family
            elif name == "pipeline_ingest_body_bytes_total":
                yield CounterMetricFamily(name, meaning, value=self.counts.body_bytes)
            elif name == "pipeline_ingest_ack_seconds":
                yield HistogramMetricFamily(
                    name, meaning, buckets=self._buckets(), sum_value=self.counts.ack_seconds
                )
            elif name in self.gauges:
                yield GaugeMetricFamily(name, meaning, value=self.gauges[name])

    def _buckets(self) -> list[tuple[str, float]]:
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self.counts.acks, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets
