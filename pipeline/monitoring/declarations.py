"""Every metric: its name, type, unit, labels and meaning, by the process that serves it.

docs/metrics.md is written from this (`make docs`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

# From a transaction of a few rows to one that has to wait for a slow disk.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# Kafka acknowledges in 5 to 8 ms on a good day; after 5 s a request gives up.
ACK_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Metric:
    """One metric; `buckets` are the upper bounds of a histogram."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = SECONDS


def _metrics(prefix: str, *rows: tuple[str, Kind, str, str] | Metric) -> tuple[Metric, ...]:
    """Rows of name, type, unit and meaning; a name may end with its labels, `name{a,b}`."""
    made = []
    for row in rows:
        if isinstance(row, Metric):
            made.append(row)
            continue
        name, _, labels = row[0].rstrip("}").partition("{")
        made.append(
            Metric(f"pipeline_{prefix}{name}", *row[1:], tuple(filter(None, labels.split(","))))
        )
    return tuple(made)


_EVERY = _metrics(
    "",
    ("info{process,name,version}", "gauge", "1", "Always 1; says which process this is."),
    ("errors_total", "counter", "lines", "Errors logged, and those held back as repeats."),
    ("last_error_timestamp_seconds", "gauge", "seconds", "When the last one was; 0: never."),
)

METRICS: dict[str, tuple[Metric, ...]] = {
    "ingest": _metrics(
        "ingest_",
        ("requests_total{status}", "counter", "requests", "Requests to /beacon answered."),
        ("malformed_total{status}", "counter", "requests", "What never became a request."),
        ("events_total{type}", "counter", "events", "Events accepted and durable."),
        ("rejected_total{reason}", "counter", "events", "Events refused and kept as refused."),
        ("limited_total{store}", "counter", "requests", "Requests over their store's rate (429)."),
        ("body_bytes_total", "counter", "bytes", "Bytes of bodies read, inflated."),
        Metric(
            "pipeline_ingest_ack_seconds",
            "histogram",
            "seconds",
            "From the end of validation until durable, or given up.",
            buckets=ACK_SECONDS,
        ),
        ("spool_records", "gauge", "records", "Records in the spool, waiting for Kafka."),
        ("spool_bytes", "gauge", "bytes", "Bytes of the spool, and of its WAL beyond 1 MiB."),
        ("spool_oldest_seconds", "gauge", "seconds", "Age of the oldest record in the spool."),
        ("circuit_open", "gauge", "0 or 1", "1 while records go to the spool, not to Kafka."),
        (
            "clock_ahead_seconds",
            "gauge",
            "seconds",
            "Ingest's clock before Kafka's; less than 0: behind.",
        ),
        ("stores", "gauge", "stores", "Stores that may send."),
        (
            "stores_outdated",
            "gauge",
            "0 or 1",
            "1 while the stores' file cannot be used, and is not.",
        ),
        (
            "downstream_stalled_seconds",
            "gauge",
            "seconds",
            "How long beacons have had no outcome, or outcomes no snapshot, and none has moved.",
        ),
        ("processes", "gauge", "processes", "Ingest processes that answer."),
    ),
    "worker": _metrics(
        "worker_",
        *_EVERY,
        ("kafka_up", "gauge", "0 or 1", "Whether Kafka answered when it was last asked."),
        ("stalled_seconds", "gauge", "seconds", "Since its event loop last came round."),
        ("partitions", "gauge", "partitions", "Partitions of beacons that it owns."),
        ("recovering", "gauge", "0 or 1", "1 while it reads devices from the changelog."),
        ("recovery_seconds_total", "counter", "seconds", "Time it has spent on that."),
        ("recovered_records_total", "counter", "records", "Records read from the changelog."),
        ("lag_records{partition}", "gauge", "records", "Records of beacons without an outcome."),
        (
            "lag_seconds{partition}",
            "gauge",
            "seconds",
            "How long the oldest of them has waited, at most; 0 without any.",
        ),
        ("records_total{partition}", "counter", "records", "Records of beacons answered."),
        ("events_total", "counter", "events", "Events in them."),
        ("failed_events_total", "counter", "events", "Events for which a rule raised."),
        (
            "batch_seconds",
            "histogram",
            "seconds",
            "From the start of a batch until Kafka has its outcomes and states.",
        ),
        ("changelog_records_total", "counter", "records", "Records written to the changelog."),
        ("devices{partition}", "gauge", "states", "States of devices in the local store."),
        ("state_bytes{partition}", "gauge", "bytes", "Bytes of the local store on disk."),
        ("memory_bytes{partition}", "gauge", "bytes", "Estimated bytes of devices in memory."),
    ),
    "loader": _metrics(
        "loader_",
        *_EVERY,
        ("kafka_up", "gauge", "0 or 1", "Whether Kafka answered when it was last asked."),
        ("stalled_seconds", "gauge", "seconds", "Since its loop last came round."),
        ("lag_records{topic,partition}", "gauge", "records", "Records that are not loaded yet."),
        (
            "lag_seconds{topic,partition}",
            "gauge",
            "seconds",
            "How long the oldest of them has waited, at most; 0 without any.",
        ),
        ("records_total", "counter", "records", "Outcomes and rejected events loaded."),
        ("events_total", "counter", "events", "Events loaded."),
        ("duplicates_total", "counter", "events", "Duplicates counted by the stream."),
        ("rejected_events_total", "counter", "events", "Rejected and failed events loaded."),
        ("transaction_seconds", "histogram", "seconds", "What a transaction took."),
        ("publish_seconds", "histogram", "seconds", "What a snapshot took, with its checkpoint."),
        ("publish_failures_total", "counter", "snapshots", "Snapshots that failed."),
        (
            "unpublished_seconds",
            "gauge",
            "seconds",
            "Age of the oldest commit that no snapshot holds; 0 without any.",
        ),
        ("snapshot_age_seconds", "gauge", "seconds", "Since the snapshot was published."),
        ("snapshot_bytes", "gauge", "bytes", "Bytes of the snapshot."),
        ("live_bytes", "gauge", "bytes", "Bytes of the live database, and of its log."),
        ("archive_bytes", "gauge", "bytes", "Bytes of the files of the archive."),
        ("archive_files", "gauge", "files", "Files of the archive."),
        ("hot_events", "gauge", "events", "Events in the database, not in the archive."),
        ("late_devices", "gauge", "devices", "Devices that the loader merges for late events."),
        ("disk_free_bytes", "gauge", "bytes", "Free bytes of the disk of PIPELINE_HOME."),
    ),
    "dashboard": _metrics(
        "dashboard_",
        *_EVERY,
        ("pages_total{status}", "counter", "pages", "Pages answered."),
        ("page_seconds", "histogram", "seconds", "What a page took."),
        ("snapshot_age_seconds", "gauge", "seconds", "Since the snapshot was published; 0: none."),
    ),
    "supervisor": _metrics(
        "supervisor_",
        *_EVERY,
        ("running{process}", "gauge", "0 or 1", "Whether the process runs."),
        ("restarts_total{process}", "counter", "starts", "Starts after the first."),
        (
            "deaths_in_a_row{process}",
            "gauge",
            "deaths",
            "Deaths, each within a minute of a start; 0 once it has run for a minute.",
        ),
    ),
}
