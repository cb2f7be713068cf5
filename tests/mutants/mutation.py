"""The mutations of `mutations`, a file per area and family of rules, and `order.toml` as values."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
from mutants.functions import places

ROOT = Path(__file__).parents[2]


class Mutation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule weakened: each of `times` places of `old` in `file` becomes `new`.

    With `function` ("Class.method") only places in it count: the code around it may change, and may
    have the same text. `tests` come before those of its folder; `equivalent` is the reason why no
    test can fail.
    """

    name: str
    rule: str
    file: str
    function: str | None = None
    old: str
    new: str
    times: int = 1
    tests: tuple[str, ...] = ()
    equivalent: str | None = None

    def problem(self) -> str | None:
        """Why it cannot be applied; None where it can."""
        path = ROOT / self.file
        if not path.is_file():
            return f"there is no {self.file}"
        text = path.read_text()
        if not (spans := self._spans(text)):
            return f"there is no function {self.function} in {self.file}"
        found = sum(text.count(self.old, *span) for span in spans)
        if found != self.times:
            place = f"{self.function} of {self.file}" if self.function else self.file
            return f"{place} has its text {found} times, not {self.times}"
        if self.old == self.new:
            return "it changes nothing"
        return None

    def applied(self) -> str:
        """The text of its file under it."""
        text = (ROOT / self.file).read_text()
        # From the last on, for each moves what stands behind it.
        for begin, end in sorted(self._spans(text), reverse=True):
            text = text[:begin] + text[begin:end].replace(self.old, self.new) + text[end:]
        return text

    def _spans(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))] if self.function is None else places(text, self.function)


class Book(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All mutations; `order` are the tests by the start of a file's path, likeliest first.

    `first` come before them, by the mutation's rule.
    """

    first: dict[str, tuple[str, ...]]
    order: dict[str, tuple[str, ...]]
    mutations: tuple[Mutation, ...]

    def tests(self, mutation: Mutation) -> list[str]:
        """What to run under `mutation`, in order: tests of its own, then whole files."""
        areas = [area for area in self.order if mutation.file.startswith(area)]
        first = self.first.get(mutation.rule, ()) if mutation.file.startswith("sql") else ()
        return list(dict.fromkeys((*mutation.tests, *first, *self.order[max(areas, key=len)])))

    def all_tests(self) -> list[str]:
        """Every test that any mutation is met by."""
        files = [file for one in self.mutations for file in self.tests(one)]
        return list(dict.fromkeys(name.partition("::")[0] for name in files))


def book() -> Book:
    """The book as it is written."""
    folder = Path(__file__).parent
    content = tomllib.loads((folder / "order.toml").read_text())
    content["mutations"] = [
        mutation
        for area in sorted((folder / "mutations").rglob("*.toml"))
        for mutation in tomllib.loads(area.read_text())["mutations"]
    ]
    return msgspec.convert(content, Book)
