"""An event as a store sent it, to known values: what is meant is read, the rest is reported (I3).

A value that cannot be read refuses the event only where a number would be wrong without it. Else
the field is dropped, kept in `extra`, and named in `repairs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.domain.identity import device_key
from pipeline.domain.refusal import Reason, Refusal
from pipeline.domain.values import BadValueError, Note, is_sentinel, is_too_much

MAX_ITEMS = 250
# In these `items` are money; elsewhere they mean nothing.
_ORDERS = ("purchase", "refund")
# What cannot be read of these would make a number wrong.
_ALWAYS = frozenset({"price", "quantity"})


@dataclass(frozen=True)
class Reader:
    """How one field is read.

    `keeps_empty`: the empty text is a value. `is_id`: sentinels are absent (I3), and so is "0" in
    one that `is_zero_absent`.
    """

    read: Callable[[Any], tuple[Any, Note | None]]
    keeps_empty: bool = False
    is_id: bool = False
    is_zero_absent: bool = False

    def value_of(self, given: object) -> tuple[Any, Note | None]:
        """The value, None for absent, and a note. Raises `BadValueError`."""
        if given is None or (given == "" and not self.keeps_empty):
            return None, None
        found = self.read(given)
        if self.is_id and is_sentinel(found[0], is_zero_one=self.is_zero_absent):
            raise BadValueError("sentinel", "says nothing")
        return found


@dataclass(frozen=True)
class Shape:
    """The fields of an event and of a line, and what each event type requires.

    Of the names in one tuple of `required` one is enough.
    """

    readers: Mapping[str, Reader]
    line_readers: Mapping[str, Reader]
    required: Mapping[str, tuple[tuple[str, ...], ...]]


@dataclass
class Reading:
    """What an event says: known `values` by field, and in `extra` what no field holds.

    `repairs` are texts "field: how"; `refusals` all reasons to refuse the event, none if it is
    valid. In `values` times are epoch ms, ids integers, prices exact text, `items` dicts.
    """

    values: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def read(given: Mapping[str, Any], shape: Shape) -> Reading:
    """What `given`, the JSON object of an event, says. Raises nothing."""
    own = _fields({name: given[name] for name in given if name != "items"}, shape.readers)
    refusals: list[Refusal] = []
    try:
        items = read_items(given.get("items"), shape.line_readers)
        if items.refusals and own.values.get("event_type") not in _ORDERS:
            raise BadValueError("unreadable", "not a list of lines")  # noqa: TRY301  # as the reader
    except BadValueError as error:
        own.bad["items"] = error
    else:
        own.add(items)
        refusals = items.refusals
    refusals = [*_refusals(own, shape.required), *refusals]
    own.drop(own.bad.keys() - {refusal.field for refusal in refusals}, given)
    if "session_id" not in own.values and "device_id" in own.values:
        # The device stands in where only it says something (I3).
        own.values["session_id"] = device_key(own.values["device_id"], "")
    return Reading(own.values, own.extra, sorted(own.notes), refusals)


@dataclass
class ReadLines:
    """The lines of `items`; of each what its fields do not hold; notes, and all refusals."""

    values: list[dict[str, Any]] = field(default_factory=list)
    extra: list[dict[str, Any]] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)


def read_items(given: object, readers: Mapping[str, Reader]) -> ReadLines:
    """The lines in a list, none where it is absent or empty. Raises `BadValueError`."""
    lines = ReadLines()
    if given is None or given == "":
        return lines
    if not isinstance(given, list):
        raise BadValueError("unreadable", "not a list of lines")
    if len(given) > MAX_ITEMS:
        raise BadValueError("too_long", f"{len(given)} lines, at most {MAX_ITEMS}")
    for index, line in enumerate(given):
        place = f"items.{index}"
        if not isinstance(line, Mapping):
            lines.refusals.append(Refusal(Reason.INVALID_VALUE, place, "not an object"))
            continue
        found = _fields(line, readers)
        lines.refusals += _line_refusals(found, place)
        found.drop(found.bad.keys() - _LINE_NEEDS, line)
        lines.values.append(found.values)
        lines.extra.append(found.extra)
        lines.notes.update(f"items.{note}" for note in found.notes)
    return lines


@dataclass
class _Fields:
    """The fields of an object: what was read, what was not, and what has no meaning."""

    values: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    bad: dict[str, BadValueError] = field(default_factory=dict)

    def drop(self, names: Iterable[str], given: Mapping[str, Any]) -> None:
        """Keep `names` beside the fields, but for sentinels, which say nothing."""
        for name in names:
            how = self.bad[name].how
            self.notes.add(f"{name}: {how}")
            if how != "sentinel":
                self.extra[name] = given[name]

    def add(self, items: ReadLines) -> None:
        """Take over the lines."""
        if items.values:
            self.values["items"] = items.values
        if any(items.extra):
            self.extra["items"] = items.extra
        self.notes |= items.notes


def _fields(given: Mapping[str, Any], readers: Mapping[str, Reader]) -> _Fields:
    found = _Fields()
    for name, value in given.items():
        reader = readers.get(name)
        if reader is None:
            found.extra[name] = value
            continue
        try:
            known, note = reader.value_of(value)
        except BadValueError as error:
            found.bad[name] = error
            continue
        if known is not None:
            found.values[name] = known
        if note == "says_more":
            found.extra[name] = value
        elif note is not None:
            found.notes.add(f"{name}: {note}")
    return found


_LINE_NEEDS = frozenset({"product_id", *_ALWAYS})


def _line_refusals(line: _Fields, place: str) -> Iterator[Refusal]:
    for name, error in line.bad.items():
        if name in _LINE_NEEDS:
            yield Refusal(Reason.INVALID_VALUE, f"{place}.{name}", str(error))
    if "product_id" not in line.values and "product_id" not in line.bad:
        yield Refusal(Reason.MISSING_FIELD, f"{place}.product_id", "required")


# In every event; of the last two one is enough (I3).
_COMMON = (("event_type",), ("timestamp",), ("session_id", "device_id"))


def _refusals(
    own: _Fields, required: Mapping[str, tuple[tuple[str, ...], ...]]
) -> Iterator[Refusal]:
    values, bad = own.values, own.bad
    kind = values.get("event_type")
    groups = [*_COMMON, *required.get(kind or "", ())]
    unmet = [names for names in groups if not any(name in values for name in names)]
    lines = [values, *values.get("items", ())]
    has_price = "price" in bad or any("price" in line for line in lines)
    for name, error in bad.items():
        if (
            any(name in names for names in unmet)
            or name in _ALWAYS
            or (name == "currency" and has_price)
            or (name == "items" and kind in _ORDERS)
        ):
            yield Refusal(_reason(name, error), name, str(error))
    for names in unmet:
        if not any(name in bad for name in names):
            why = "required" if names in _COMMON else f"required by {kind}"
            yield Refusal(Reason.MISSING_FIELD, " or ".join(names), why)
    if has_price and "currency" not in values and "currency" not in bad:
        yield Refusal(Reason.MISSING_FIELD, "currency", "required with a price")
    for line in lines:
        if "price" in line and is_too_much(line["price"], line.get("quantity", 1)):
            yield Refusal(Reason.INVALID_VALUE, "price", "times quantity is 10^14 or more")


def _reason(name: str, error: BadValueError) -> Reason:
    if error.how == "sentinel":
        return Reason.SENTINEL_ID
    return Reason.UNKNOWN_EVENT_TYPE if name == "event_type" else Reason.INVALID_VALUE
