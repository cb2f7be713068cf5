"""Reads the SQL files: `sql/` of a checkout, or its copy in the wheel."""

from __future__ import annotations

import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
FOLDER = next(folder for folder in (_PACKAGE / "_sql", _PACKAGE.parent / "sql") if folder.is_dir())


@cache
def files(folder: str) -> list[tuple[str, str]]:
    """(name, text) of each file of a folder of `sql/`, ordered by name."""
    return [(path.stem, path.read_text()) for path in sorted((FOLDER / folder).glob("*.sql"))]


@cache
def in_order(folder: str) -> list[tuple[str, str]]:
    """The same, each file after those that it depends on: DuckDB resolves names at creation."""
    texts = dict(files(folder))
    bare = {name: _without_comments(text) for name, text in texts.items()}
    defined = {
        made: name
        for name, text in bare.items()
        for made in re.findall(r"CREATE OR REPLACE (?:TEMP )?MACRO (\w+)", text) or [name]
    }
    uses = {
        name: {defined[word] for word in re.findall(r"\w+", text) if word in defined} - {name}
        for name, text in bare.items()
    }
    return [(name, texts[name]) for name in TopologicalSorter(uses).static_order()]


_TABLE_MACRO = re.compile(r"CREATE OR REPLACE MACRO (\w+)\((.*?)\) AS TABLE\s(.*);\s*\Z", re.DOTALL)


@cache
def table_macros() -> dict[str, tuple[list[str], str]]:
    """Parameters and body of each table macro of `sql/macros`, by name."""
    found = [_TABLE_MACRO.search(text) for _, text in in_order("macros")]
    return {made[1]: (made[2].split(", "), made[3]) for made in found if made}


def inlined(text: str) -> str:
    """`text` with each call of a table macro replaced by its body.

    DuckDB resolves a macro's names in the caller's catalog, but a view's in the view's own.
    Arguments may contain no parentheses.
    """

    def body_of(call: re.Match[str]) -> str:
        parameters, body = table_macros()[call[1]]
        for parameter, argument in zip(parameters, call[2].split(", "), strict=True):
            body = re.sub(rf"\b{parameter}\b", argument, body)
        return f"({inlined(body)})"

    return re.sub(rf"\b({'|'.join(table_macros())})\(([^()]*)\)", body_of, _without_comments(text))


def _without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)


def quoted(path: Path | str) -> str:
    """`path` as text in SQL."""
    return "'{}'".format(str(path).replace("'", "''"))
