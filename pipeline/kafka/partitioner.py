"""The partition of a record by its key."""

from __future__ import annotations

from kafka.partitioner.default import murmur2


def home(key: bytes, partitions: int) -> int:
    """The partition, of so many, to which a record with `key` belongs.

    That of Java's producer, and of librdkafka's under `murmur2_random`.
    """
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
