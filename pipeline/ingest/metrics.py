"""What ingest counts: plain numbers, and Prometheus' text of them.

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

from pipeline.monitoring.declarations import METRICS

METRICS_OF_INGEST = {metric.name: metric for metric in METRICS["ingest"]}
ACK = METRICS_OF_INGEST["pipeline_ingest_ack_seconds"]
# Of several processes the gauges that are sums; of the others the one furthest from 0 counts.
SUMMED = {
    "pipeline_ingest_spool_records",
    "pipeline_ingest_spool_bytes",
    "pipeline_ingest_processes",
}


@dataclass(slots=True)
class Counts:
    """What one process has counted since its start."""

    # 503 from the start: of a series that begins with its first count Prometheus sees no growth.
    requests: dict[int, int] = field(default_factory=lambda: Counter({503: 0}))
    malformed: dict[int, int] = field(default_factory=Counter)
    events: dict[str, int] = field(default_factory=Counter)
    rejected: dict[str, int] = field(default_factory=Counter)
    limited: dict[str, int] = field(default_factory=Counter)
    body_bytes: int = 0
    acks: list[int] = field(default_factory=lambda: [0] * (len(ACK.buckets) + 1))
    """By bucket, not cumulative."""
    ack_seconds: float = 0.0

    def observe_ack(self, seconds: float) -> None:
        """Count one wait for durability."""
        self.acks[bisect_left(ACK.buckets, seconds)] += 1
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
    names = [name for name in METRICS_OF_INGEST if any(name in gauges for gauges in found)]
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
        counted: dict[str, Mapping[Any, int]] = {
            "pipeline_ingest_requests_total": self.counts.requests,
            "pipeline_ingest_malformed_total": self.counts.malformed,
            "pipeline_ingest_events_total": self.counts.events,
            "pipeline_ingest_rejected_total": self.counts.rejected,
            "pipeline_ingest_limited_total": self.counts.limited,
        }
        for name, metric in METRICS_OF_INGEST.items():
            if name in counted:
                family = CounterMetricFamily(name, metric.meaning, labels=metric.labels)
                for value, count in sorted(counted[name].items()):
                    family.add_metric([str(value)], count)
                yield family
            elif metric.kind == "counter":
                yield CounterMetricFamily(name, metric.meaning, value=self.counts.body_bytes)
            elif metric.kind == "histogram":
                yield HistogramMetricFamily(
                    name,
                    metric.meaning,
                    buckets=self._buckets(),
                    sum_value=self.counts.ack_seconds,
                )
            elif name in self.gauges:
                yield GaugeMetricFamily(name, metric.meaning, value=self.gauges[name])

    def _buckets(self) -> list[tuple[str, float]]:
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, ACK.buckets), "+Inf"), self.counts.acks, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets
