"""`pipeline validate`: what the door would refuse of a file, and all that is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from pipeline.ingest.accept import BadBodyError
from pipeline.ingest.intake import Intake
from pipeline.ingest.problems import problems_of
from pipeline.ingest.sender import Sender
from pipeline.replay.files import BadLine, opened, read_requests

# A file may hold the past.
SENDER = Sender("validate", may_backfill=True)


def problems(path: str, intake: Intake) -> Iterator[str]:
    """A text "file:line: field: what is wrong" for each problem of the file, in its order.

    Of several events in one line the field begins with "events" and the place. Raises OSError.
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
        are_many = len(accepted.types) + len(accepted.rejected) > 1
        for rejected in accepted.rejected:
            place = f"events.{rejected.index}." if are_many else ""
            for problem in problems_of(rejected):
                yield f"{place}{problem}"
