"""Where and with what the workers of a partition begin anew when other rules are adopted."""

from __future__ import annotations

from pipeline.domain.device import Device, encode
from pipeline.domain.identity import record_key
from pipeline.domain.reached import KnownKeys, Reached
from pipeline.domain.rules import Rules
from pipeline.stream.checkpoint import Checkpoint, StateError
from pipeline.stream.rows import WRITER_BYTES


def adopted(
    loaded: Reached | None,
    *,
    beginning: int,
    topic_id: str,
    rules: str,
    adoptions: int,
    partitions: int,
) -> Checkpoint:
    """Where the workers of a partition begin anew under adopted `rules`.

    `beginning` is the first offset that Kafka holds. What was late stays late under a longer
    lateness, for no key of it is known. Raises `StateError` where `beacons` does not hold what the
    warehouse lacks.
    """
    if loaded is None:
        return Checkpoint(
            offset=beginning,
            stream_time=None,
            topic_id=topic_id,
            rules=rules,
            adoptions=adoptions,
            partitions=partitions,
        )
    if loaded.topic_id != topic_id:
        raise StateError(
            f"the warehouse was loaded from topic {loaded.topic_id}, and beacons is now {topic_id}:"
            " reconnect the old Kafka"
        )
    following = beginning if loaded.next_origin is None else loaded.next_origin
    if following < beginning:
        raise StateError(
            f"beacons no longer holds offset {following}, the next that the warehouse"
            " lacks: start worker and loader with the former settings until the warehouse has"
            " caught up"
        )
    return Checkpoint(
        offset=following,
        stream_time=loaded.stream_time,
        topic_id=topic_id,
        rules=rules,
        adoptions=adoptions,
        late_before=loaded.horizon,
        partitions=partitions,
    )


def state_of(known: KnownKeys, start: Checkpoint, rules: Rules) -> tuple[bytes, bytes]:
    """Key and value of the changelog record by which a partition that begins at `start` knows keys.

    A device with more than fit is over its limit: the warehouse finds its repeats.
    """
    device = Device(origin=start.offset - 1)
    if len(known.keys) < rules.most_keys:
        device.keys = known.keys
    else:
        device.over_limit_until = max(until for until, _ in known.keys.values())
    writer = bytes.fromhex(start.era).ljust(WRITER_BYTES, b"\0")
    return writer + record_key(known.store_id, known.device_key), encode(device)
