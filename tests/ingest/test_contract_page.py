"""docs/contract.md against the code: a limit that changes in one place only is an error."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from pipeline.delivery.poison import REASON
from pipeline.domain import values
from pipeline.domain.catalog import EVENT_TYPES, REQUIRED
from pipeline.domain.refusal import Reason
from pipeline.ingest.wire import WireEvent

PAGE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text()


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first column is headed so."""
    block = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert block is not None, first
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in block[1].splitlines()]


def test_fields_and_their_lengths_are_those_of_the_code() -> None:
    rows = {row[0].strip("`"): row[1:] for row in table("field")}
    assert set(rows) == set(WireEvent.__struct_fields__)
    for name, schema in msgspec.json.schema(WireEvent)["$defs"]["WireEvent"]["properties"].items():
        kind, least, most = rows[name]
        choices = schema.get("anyOf", [schema])
        (text,) = [one for one in choices if one.get("type") == "string"] or [None]
        if kind == "text":
            assert text is not None, name
            assert (least, most) == (
                str(text.get("minLength", 0)), str(text.get("maxLength", ""))
            ), name  # fmt: skip
    numbers = {"2^63-1": values.MAX_ID, "10^6": values.MAX_QUANTITY, "10^10": values.MAX_PRICE}
    told = {"product_id": "2^63-1", "position": "2^63-1", "quantity": "10^6", "price": "10^10"}
    for name, most in told.items():
        base, _, rest = most.partition("^")
        power, _, less = rest.partition("-")
        assert rows[name][2] == most
        assert numbers[most] == int(base) ** int(power) - int(less or 0)
    assert values.MAX_CONTEXT_BYTES == 8 * 1024
    assert values.MAX_CONTEXT_DEPTH == 8


def test_what_a_type_requires_is_what_the_code_requires() -> None:
    rows = {row[0].strip("`"): row[1].replace("`", "") for row in table("event type")}
    assert set(rows) == set(EVENT_TYPES)
    assert rows == {
        name: ", ".join(choice.replace("|", " or ") for choice in choices)
        for name, choices in REQUIRED.items()
    }


def test_reasons_are_those_of_the_code() -> None:
    assert {row[0].strip("`") for row in table("reason")} == {*Reason, REASON}
