"""The metrics of one process: counted as it works, measured when Prometheus asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from pipeline.monitoring.declarations import METRICS

Labels = tuple[str, ...]
Measure = Callable[[], float | Mapping[Labels, float]]
"""A gauge: a number, or one for each of its labels' values."""

# Else each counter would be served with the time of its creation, under one more name.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped


class Metrics:
    """All that is declared for `process`. Any thread may count.

    `gauges` are called in the thread of the operators' pages: they read plain values. Raises
    ValueError unless they are those that are declared.
    """

    def __init__(self, process: str, *, name: str = "", gauges: Mapping[str, Measure]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        info = (process, name, version("clickstream-pipeline"))
        self.last_error_at = 0.0
        measured: dict[str, Measure] = {
            "pipeline_info": lambda: {info: 1},
            "pipeline_last_error_timestamp_seconds": lambda: self.last_error_at,
            **gauges,
        }
        declared = {each.name for each in METRICS[process] if each.kind == "gauge"}
        if declared != measured.keys():
            raise ValueError(f"declared and measured differ: {declared ^ measured.keys()}")
        for each in METRICS[process]:
            shown = (each.name, each.meaning, each.labels)
            if each.kind == "counter":
                self._counters[each.name] = Counter(*shown, registry=self._registry)
            elif each.kind == "histogram":
                self._histograms[each.name] = Histogram(
                    *shown, registry=self._registry, buckets=each.buckets
                )
            else:
                self._registry.register(_Gauge(*shown, measured[each.name]))
        ProcessCollector(registry=self._registry)

    def count(self, name: str, amount: float = 1, *labels: str) -> None:
        """Add to a counter."""
        counter = self._counters[name]
        (counter.labels(*labels) if labels else counter).inc(amount)

    def observe(self, name: str, seconds: float) -> None:
        """Add to a histogram."""
        self._histograms[name].observe(seconds)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return prometheus_client.generate_latest(self._registry)


class _Gauge(Collector):
    def __init__(self, name: str, meaning: str, labels: Labels, measure: Measure) -> None:
        self._shown = (name, meaning)
        self._labels = labels
        self._measure = measure

    def collect(self) -> Iterator[Family]:
        """One family."""
        found = self._measure()
        family = GaugeMetricFamily(*self._shown, labels=self._labels)
        for labels, value in found.items() if isinstance(found, Mapping) else [((), found)]:
            family.add_metric(labels, value)
        yield family
