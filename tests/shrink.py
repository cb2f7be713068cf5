"""Shrink a failing story: leave out all that can be left out, and keep the rest as a case."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from strategies import Step, Story

CASES = Path(__file__).parent / "golden" / "cases"

# Small enough to read is enough: each try takes up to a second.
MOST_ROUNDS, MOST_TRIES = 60, 100
# Ingest would have rejected an event without these.
NEEDED = {"event_type", "ms", "currency", "product_id", "items"}


def shrunk(stories: list[Story], fails: Callable[[list[Story]], bool]) -> list[Story]:
    """The smallest stories found that still fail together; usually one."""
    current = stories
    for _ in range(MOST_ROUNDS):
        smaller = next(filter(fails, islice(_smaller(current), MOST_TRIES)), None)
        if smaller is None:
            break
        current = smaller
    return current


def _smaller(stories: list[Story]) -> Iterator[list[Story]]:
    """The stories with one part left out, the largest parts first."""
    for value in _less(msgspec.to_builtins(stories)):
        try:
            smaller = msgspec.convert(value, list[Story])
        except msgspec.ValidationError:
            continue
        if all(s.steps and all(map(_has_events, s.steps)) for s in smaller) and all(
            s.runs and s.commits and s.partitions for s in smaller
        ):
            yield smaller


def _has_events(step: Step) -> bool:
    return bool(step.events) and all(event.get("items") != [] for event in step.events)


def _less(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from _shorter(value)
        for index, item in enumerate(value):
            for less in _less(item):
                yield [*value[:index], less, *value[index + 1 :]]
    elif isinstance(value, dict):
        for name in value.keys() - NEEDED:
            yield {key: item for key, item in value.items() if key != name}
        for name, item in value.items():
            for less in _less(item):
                yield {**value, name: less}
    elif type(value) is int:
        yield from (less for less in (0, 1, value // 60_000 * 60_000) if less < value)


def _shorter(values: list[Any]) -> Iterator[list[Any]]:
    size = len(values) // 2
    while size:
        for start in range(0, len(values), size):
            yield values[:start] + values[start + size :]
        size //= 2


def write_case(stories: list[Story]) -> Path:
    """Write the stories to a file under tests/golden/cases, which every run reads; return it."""
    text = msgspec.json.format(msgspec.json.encode(stories))
    CASES.mkdir(parents=True, exist_ok=True)
    path = CASES / f"{hashlib.sha256(text).hexdigest()[:12]}.json"
    path.write_bytes(text + b"\n")
    return path


def read_case(path: Path) -> list[Story]:
    """The stories of a case."""
    return msgspec.json.decode(path.read_bytes(), type=list[Story])
