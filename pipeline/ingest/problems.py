"""All that is wrong with an event, and what was repaired in it.

Ingest stops at the first reason to refuse it (`validate`); this lists all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pipeline.domain.events import Beacon
from pipeline.domain.reading import Reading
from pipeline.domain.refusal import Refusal
from pipeline.ingest.accept import Accepted
from pipeline.ingest.validate import reading_of
from pipeline.topics import Rejected


def problems_of(rejected: Rejected) -> list[str]:
    """Everything that is wrong with a refused event, in words; what it was refused for first."""
    try:
        reading = reading_of(rejected.raw)
    except RecursionError:
        reading = Reading()
    others = [str(one) for one in reading.refusals if not _is_same(one, rejected)]
    return [rejected.detail, *others]


def _is_same(refusal: Refusal, rejected: Rejected) -> bool:
    return refusal.field == rejected.detail.partition(":")[0]


# Ends of the repairs whose value was read; all others name a field that was dropped.
_READ = (": respelled", ": rounded")


class Taken(msgspec.Struct):
    """An accepted event: fields read or dropped ("field: how"), and what is beside."""

    repairs: list[str] = []
    extra: dict[str, msgspec.Raw] = {}

    def repaired(self) -> list[str]:
        """Fields that were read in another spelling, and how."""
        return [repair for repair in self.repairs if repair.endswith(_READ)]

    def ignored(self) -> list[str]:
        """Fields that were dropped, and why; names that mean nothing, of lines as "items.name"."""
        dropped = [repair for repair in self.repairs if not repair.endswith(_READ)]
        return [*dropped, *self._unknown()]

    def _unknown(self) -> list[str]:
        repaired = {repair.partition(":")[0] for repair in self.repairs}
        # The text of a time stays there where it says more.
        names = set(self.extra) - {"timestamp", "items"}
        if "items" in self.extra and "items" not in repaired:
            lines = msgspec.json.decode(self.extra["items"], type=list[dict[str, msgspec.Raw]])
            names.update(f"items.{name}" for line in lines for name in line)
        return sorted(names - repaired)


def taken_of(accepted: Accepted) -> Iterator[tuple[str, Taken]]:
    """The accepted events of a request and the text of each, each device's in their order."""
    for _, value in accepted.records:
        beacon = msgspec.json.decode(value, type=Beacon)
        for event, raw in zip(beacon.events, beacon.raw, strict=True):
            yield str(raw, "utf-8"), msgspec.json.decode(event, type=Taken)
