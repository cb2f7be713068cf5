"""`pipeline validate`: everything that ingest would reject of a file, and why."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from pipeline.ingest.accept import BadBodyError
from pipeline.ingest.intake import Intake
from pipeline.ingest.problems import problems_of
from pipeline.ingest.sender import Sender
from pipeline.replay.files import BadLine, opened, read_requests

# A file may hold old events.
SENDER = Sender("validate", may_backfill=True)


def problems(path: str, intake: Intake) -> Iterator[str]:
    """A text "file:line: field: problem" for each problem of the file, in order.

    For one of several events in a line the field starts with "events" and its position. Raises
    OSError.
    """
    with opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            for problem in _problems_in(line, intake):
                yield f"{path}:{number}: {problem}"


def _problems_in(line: bytes, intake: Intake) -> Iterable[str]:
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
        are_several = len(accepted.types) + len(accepted.rejected) > 1
        for rejected in accepted.rejected:
            place = f"events.{rejected.index}." if are_several else ""
            for problem in problems_of(rejected):
                yield f"{place}{problem}"
