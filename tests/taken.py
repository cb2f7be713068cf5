"""Read back what ingest accepted from the records that it published."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.delivery.publisher import Record
from pipeline.ingest.accept import Accepted
from pipeline.topics import Rejected


def taken(records: Iterable[Record]) -> Accepted:
    """The records as `accept` returned them, apart from types."""
    accepted = Accepted()
    for topic, key, value in records:
        if topic.endswith("rejected"):
            accepted.rejected.append(msgspec.json.decode(value, type=Rejected))
        else:
            accepted.records.append((key, value))
    return accepted
