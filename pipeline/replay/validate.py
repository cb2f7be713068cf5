"""`pipeline validate`: everything that ingest would reject of a file, and why."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.ingest.accept import BadBodyError
from pipeline.ingest.intake import Intake
from pipeline.ingest.problems import problems_of, taken_of
from pipeline.ingest.sender import Sender
from pipeline.replay.files import BadLine, opened, read_requests

# A file may hold old events.
SENDER = Sender("validate", may_backfill=True)


@dataclass(frozen=True)
class Finding:
    """A line of the report; `is_problem` where ingest would refuse something."""

    text: str
    is_problem: bool = True


def findings(path: str, intake: Intake) -> Iterator[Finding]:
    """Each problem as "file:line: field: what is wrong", then repairs and ignored names by field.

    For one of several events in a line the field starts with "events" and its position. Raises
    OSError.
    """
    notes = Counter[str]()
    with opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            for problem in _problems_in(line, intake, notes):
                yield Finding(f"{path}:{number}: {problem}")
    for note, count in sorted(notes.items()):
        yield Finding(f"{path}: {note} ({count} events)", is_problem=False)


def _problems_in(line: bytes, intake: Intake, notes: Counter[str]) -> Iterable[str]:
    for request in read_requests([line]):
        if isinstance(request, BadLine):
            yield request.reason
            continue
        try:
            accepted = intake.take(
                request.body,
                headers=request.headers,
                sender=SENDER,
                received_at=int(time.time() * 1000),
            )
        except BadBodyError as error:
            yield str(error)
            continue
        for _, event in taken_of(accepted):
            notes.update(f"repaired: {repair}" for repair in event.repaired())
            notes.update(f"ignored: {name}" for name in event.ignored())
        are_several = len(accepted.types) + len(accepted.rejected) > 1
        for rejected in accepted.rejected:
            place = f"events.{rejected.index}." if are_several else ""
            for problem in problems_of(rejected):
                yield f"{place}{problem}"
