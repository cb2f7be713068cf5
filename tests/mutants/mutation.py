"""The mutations of `mutations/*.toml`, one file per area, and `order.toml` as values."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]


class Mutation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule weakened: each of `times` places of `old` in `file` becomes `new`.

    `tests` come before those of its folder; `equivalent` is the reason why no test can fail.
    """

    name: str
    rule: str
    file: str
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
        found = path.read_text().count(self.old)
        if found != self.times:
            return f"{self.file} has its text {found} times, not {self.times}"
        if self.old == self.new:
            return "it changes nothing"
        return None

    def applied(self) -> str:
        """The text of its file under it."""
        return (ROOT / self.file).read_text().replace(self.old, self.new)


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
        for area in sorted((folder / "mutations").glob("*.toml"))
        for mutation in tomllib.loads(area.read_text())["mutations"]
    ]
    return msgspec.convert(content, Book)
