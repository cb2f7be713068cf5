"""All that is wrong with an event, and what was repaired in it.

The door stops at the first reason to refuse it (`validate`); here nothing is in a hurry.
"""

from __future__ import annotations

from pipeline.domain.reading import Reading
from pipeline.domain.refusal import Refusal
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
