"""docs/openapi.yaml against a ingest on a socket, and against the contract's cases."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ingest.wire_cases import LENGTHS, REQUIRED, full, minimal

from pipeline.ingest.wire import WireEvent

FILE = Path(__file__).parents[2] / "docs" / "openapi.yaml"
DOCUMENT = yaml.safe_load(FILE.read_text())
SCHEMA = {"$ref": "#/components/schemas/Event", "components": DOCUMENT["components"]}


def is_valid(event: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(event))


def test_schemathesis_finds_no_answer_that_the_document_does_not_say(
    wire: Any, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", str(FILE), "--url", wire.ingest.url.removesuffix("/beacon")),
            *("--header", f"X-Storefront-Access-Token: {wire.ingest.token}"),
            *("--checks", "all", "--max-examples", "40", "--seed", "1", "--no-color"),
            *("--suppress-health-check", "all", "--continue-on-failure"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    # It has sent what is taken, too.
    assert len(wire.publisher.published) > 10


@pytest.mark.parametrize("event", [*map(minimal, REQUIRED), full()], ids=str)
def test_what_the_door_takes_is_valid_by_the_document(event: dict[str, Any]) -> None:
    assert is_valid(event)


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_are_those_of_the_contract(name: str) -> None:
    least, most = LENGTHS[name]
    for length, good in ((least, True), (most, True), (most + 1, False)):
        assert is_valid(minimal("search", **{name: "x" * length})) is good
    assert is_valid(minimal("search", **{name: ""})) is (least == 0)


def test_fields_are_those_of_the_code() -> None:
    fields = DOCUMENT["components"]["schemas"]["Fields"]
    assert set(fields["properties"]) == set(WireEvent.__struct_fields__)
    assert set(fields["required"]) == {"event_type", "timestamp", "session_id"}


@pytest.mark.parametrize("event_type", REQUIRED)
def test_what_a_type_requires_is_required_by_the_document(event_type: str) -> None:
    for names in REQUIRED[event_type]:
        event = minimal(event_type)
        for name in names:
            event.pop(name, None)
        assert not is_valid(event)
