"""Any bytes to `accept`, and what it makes of them to the worker: a fuzzer's target.

`python tests/ingest/fuzz_accept.py -runs=10000000 FOLDER` looks for as long as is wanted; FOLDER
keeps what reached new code. A crash prints the body's file. `tests/ingest/test_fuzz.py` runs the
short form.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import atheris

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

with atheris.instrument_imports(include=["pipeline"]):
    import msgspec
    from ingest.fuzz_changes import VALUES, change
    from ingest.wire_cases import NOW_MS, REQUIRED, full, minimal

    from pipeline.domain.events import Beacon, Event, Request
    from pipeline.domain.outcomes import Outcome
    from pipeline.domain.rules import Rules
    from pipeline.ingest.accept import Accepted, BadBodyError, accept
    from pipeline.ingest.sender import Sender
    from pipeline.ingest.validate import reading_of
    from pipeline.ingest.wire import plain_event
    from pipeline.replay.memory_worker import MemoryWorker
    from pipeline.warehouse.load.batch import LoadBatch

RULES = Rules()
# Arrow tables cost more than all the rest of a run.
TABLES_EVERY = 50
BYTES = [
    rb'"\ud800"', rb'"\udc00\ud800"', rb'"\u0000"', b'"\xff"', b"1e400", b"-0", b"01", b"NaN",
    b"[" * 40, b"9" * 5000, b'{"a":' * 9, b'"events":', b"\xef\xbb\xbf", b"/**/", b"1E+2",
]  # fmt: skip

_runs = 0
_seen = Counter[str]()


def run(body: bytes) -> None:
    """One input: nothing but the named error, and every invariant of what comes out."""
    global _runs  # noqa: PLW0603  # a fuzzer's target has no other place
    _runs += 1
    backfill = len(body) % 2 == 0
    try:
        accepted = take(body, may_backfill=backfill)
    except BadBodyError as error:
        str(error).encode()
        _seen["bodies refused"] += 1
        return
    events = written(accepted)
    _seen["events accepted"] += len(events)
    _seen.update(f"rejected {rejected.reason}" for rejected in accepted.rejected)
    held = count_in(body)
    if held is not None and len(events) + len(accepted.rejected) != held:
        raise AssertionError("an event is neither in a record nor rejected")
    for rejected in accepted.rejected:
        if msgspec.json.decode(msgspec.json.encode(rejected)) != msgspec.to_builtins(rejected):
            raise AssertionError("a rejected event does not survive its record")
    texts = [str(raw, "utf-8") for one in beacons(accepted) for raw in one.raw]
    for event, text in zip(events, texts, strict=True):
        same_when_reordered(event, text, may_backfill=backfill)
        both_read_alike(text)
    worker_takes(accepted, len(events))


def take(body: bytes, *, may_backfill: bool) -> Accepted:
    return accept(
        body,
        sender=Sender("shop", may_backfill),
        request=Request(browser="b"),
        is_app=False,
        received_at=NOW_MS,
    )


def written(accepted: Accepted) -> list[Event]:
    return [msgspec.json.decode(raw, type=Event) for one in beacons(accepted) for raw in one.events]


def beacons(accepted: Accepted) -> list[Beacon]:
    return [msgspec.json.decode(value, type=Beacon) for _, value in accepted.records]


class Token(str):
    """A number as it was written."""

    __slots__ = ()


def loads(text: str) -> Any:
    return json.loads(text, parse_int=Token, parse_float=Token)


def dumps(value: Any) -> str:
    """JSON with every object's names the other way round, and room between."""
    if isinstance(value, Token):
        return value[:]
    if isinstance(value, dict):
        fields = (f"{json.dumps(name)} : {dumps(held)}" for name, held in reversed(value.items()))
        return "{\n" + " ,".join(fields) + "\t}"
    if isinstance(value, list):
        return f"[ {' , '.join(map(dumps, value))} ]"
    return json.dumps(value)


def count_in(body: bytes) -> int | None:
    """How many events another parser finds; None where Python's is the narrower one."""
    try:
        return len(loads(body.decode("utf-8", "replace"))["events"])
    except RecursionError:
        return None


def same_when_reordered(event: Event, text: str, *, may_backfill: bool) -> None:
    reordered = dumps(loads(text))
    if len(reordered) > 32 * 1024:
        return
    again = take(f'{{"events":[{reordered}]}}'.encode(), may_backfill=may_backfill)
    (other,) = written(again) or (None,)
    if may_backfill and other is None:
        raise AssertionError("reordered and refused")
    if other is not None and other.fingerprint != event.fingerprint:
        raise AssertionError("the fingerprint depends on the order of names")


def both_read_alike(text: str) -> None:
    """The quick way takes nothing that reading would repair, drop or keep beside the fields."""
    event = plain_event(text)
    if event is None:
        _seen["read anew"] += 1
        return
    reading = reading_of(text)
    if reading.refusals or reading.repairs or reading.extra:
        raise AssertionError(reading)
    if msgspec.to_builtins(event) != reading.values:
        raise AssertionError("two readings of one event")


def worker_takes(accepted: Accepted, events: int) -> None:
    batch, worker = LoadBatch(RULES), MemoryWorker(RULES)
    for key, value in accepted.records:
        value.decode()
        outcome = worker.process(key, value, appended_at=NOW_MS)
        if outcome.failed:
            raise AssertionError(outcome.failed)
        events -= len(outcome.facts) + len(outcome.late) + len(outcome.duplicates)
        batch.add(msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome))
    if events:
        raise AssertionError("the worker lost an event")
    for rejected in accepted.rejected:
        batch.add_rejected(rejected)
    if _runs % TABLES_EVERY == 0:
        batch.tables()


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Half the time libFuzzer's own bytes, else a change that leaves JSON behind."""
    chance = random.Random(seed)  # noqa: S311  # not a secret
    if chance.random() < 0.4:
        return atheris.Mutate(data, max_size)
    try:
        body = json.loads(data)
        events = body["events"]
        place = chance.randrange(len(events))
        change(events, place, chance)
        made = json.dumps(body).encode()
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return atheris.Mutate(data, max_size)
    if chance.random() < 0.2:
        wanted = json.dumps(chance.choice(VALUES)).encode()
        made = made.replace(wanted, chance.choice(BYTES), 1)
    return made[:max_size]


def seeds() -> list[bytes]:
    """A body for each event type, and one in which all stands."""
    bodies = [{"events": [minimal(name)]} for name in REQUIRED]
    bodies += [{"events": [full(), full()]}, {"events": [full()], "received_at": NOW_MS}]
    return [json.dumps(body).encode() for body in bodies]


def main() -> None:
    """Seed the corpus where it is empty, and run."""
    folder = Path(sys.argv[-1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(seeds()):
        (folder / f"seed-{number}").write_bytes(body)
    # Deeper and longer ones are the tests' own; here many short ones find more.
    atheris.Setup([*sys.argv, "-max_len=6000"], run, custom_mutator=mutate)
    atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main()
