"""The progress of each stage: from Kafka, from the published snapshot, and from `up`."""

from pipeline.status.snapshot import ArchiveState, LedgerRow, SnapshotState, read_snapshot
from pipeline.status.status import PartitionLag, Status, status, status_without_kafka

__all__ = [
    "ArchiveState",
    "LedgerRow",
    "PartitionLag",
    "SnapshotState",
    "Status",
    "read_snapshot",
    "status",
    "status_without_kafka",
]
