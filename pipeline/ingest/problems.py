"""All that is wrong with an event, by the models of the catalog.

The door stops at the first field that is at fault (`validate`); here nothing is in a hurry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.domain.catalog import EVENT_TYPES, MODELS, REQUIRED, GivenEvent
from pipeline.ingest.validate import Reason
from pipeline.topics import Rejected

UNKNOWN = f"none of {', '.join(EVENT_TYPES)}"


@dataclass(frozen=True)
class Problem:
    """A field at fault ("items.0.price", or "a or b"), why, and in words."""

    reason: Reason
    field: str
    words: str

    def __str__(self) -> str:
        return f"{self.field}: {self.words}"


def problems_in(text: str) -> list[Problem]:
    """Everything that is wrong with the event in `text`, one problem a field; none if it is valid.

    Its age is not looked at, nor its length. Raises RecursionError where it is nested too deep.
    """
    try:
        raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        return [Problem(Reason.NOT_AN_EVENT, "event", str(error))]
    values, found = {}, list[Problem]()
    for name in (field for field in raw if field in GivenEvent.model_fields):
        try:
            values[name] = msgspec.json.decode(raw[name])
        except msgspec.DecodeError as error:
            found.append(Problem(Reason.INVALID_VALUE, name, str(error)))
    found.extend(_problems_of(values))
    # What could not be read is not missing.
    first = {problem.field: problem for problem in reversed(found)}
    return list(reversed(first.values()))


def problems_of(rejected: Rejected) -> list[str]:
    """Everything that is wrong with a refused event, in words; what it was refused for first."""
    try:
        found = problems_in(rejected.raw)
    except RecursionError:
        found = []
    field = rejected.detail.partition(":")[0]
    # The models' words for it, where they have some.
    first = [str(one) for one in found if (one.reason, one.field) == (rejected.reason, field)]
    return [*(first or [rejected.detail]), *(str(one) for one in found if one.field != field)]


def _problems_of(values: dict[str, Any]) -> Iterator[Problem]:
    kind = values.get("event_type")
    model = MODELS.get(kind, GivenEvent) if isinstance(kind, str) else GivenEvent
    if kind is None:
        yield Problem(Reason.MISSING_FIELD, "event_type", "required")
    elif model is GivenEvent:
        yield Problem(Reason.UNKNOWN_EVENT_TYPE, "event_type", UNKNOWN)
    try:
        model.model_validate({**values, "event_type": kind if model is not GivenEvent else ""})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            yield _problem(detail, kind)
    # Where a field is at fault, pydantic does not come to them.
    for field, why in model.missing(values):
        yield Problem(Reason.MISSING_FIELD, field, why)


def _problem(detail: ErrorDetails, kind: object) -> Problem:
    given = detail.get("ctx", {})
    if detail["type"] in (Reason.MISSING_FIELD, Reason.INVALID_VALUE):  # of the event as a whole
        return Problem(Reason(detail["type"]), given["field"], given["why"])
    field = ".".join(map(str, detail["loc"]))
    if detail["type"] == "missing" or detail["input"] is None:
        needs = isinstance(kind, str) and field in REQUIRED.get(kind, ())
        return Problem(Reason.MISSING_FIELD, field, f"required by {kind}" if needs else "required")
    words = str(given["error"]) if detail["type"] == "value_error" else detail["msg"]
    return Problem(Reason.INVALID_VALUE, field, words)
