"""What an ingest has taken, read back from the records that it was made durable as."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.delivery.publisher import Record
from pipeline.ingest.accept import Accepted
from pipeline.topics import Rejected


def taken(records: Iterable[Record]) -> Accepted:
    """As `accept` returned it, but for the types."""
    accepted = Accepted()
    for topic, key, value in records:
        if topic.endswith("rejected"):
            accepted.rejected.append(msgspec.json.decode(value, type=Rejected))
        else:
            accepted.records.append((key, value))
    return accepted
