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
    bare = {
        name: inlined(text) if folder == "views" else _without_comments(text)
        for name, text in texts.items()
    }
    defined = {
        made: name
        for name, text in bare.items()
        for made in re.findall(r"CREATE OR REPLACE (?:TEMP )?MACRO (\w+)", text) or [name]
    }
    uses = {
        name: {defined[word] for word in _used(text) if word in defined} - {name}
        for name, text in bare.items()
    }
    return [(name, texts[name]) for name in TopologicalSorter(uses).static_order()]


def _used(text: str) -> set[str]:
    """Names of relations and macros; a column may have the name of one."""
    return set(re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", text)) | set(re.findall(r"\b(\w+)\(", text))


_TABLE_MACRO = re.compile(r"CREATE OR REPLACE MACRO (\w+)\((.*?)\) AS TABLE\s(.*);\s*\Z", re.DOTALL)


@cache
def table_macros() -> dict[str, tuple[list[str], str]]:
    """Parameters and body of each table macro of `sql/macros`, by name."""
    found = [_TABLE_MACRO.search(text) for _, text in in_order("macros")]
    return {made[1]: (made[2].split(", "), made[3]) for made in found if made}


def inlined(text: str) -> str:
    """`text` with each call of a table macro replaced by its query.

    DuckDB resolves a macro's names in the caller's catalog, but a view's in the view's own. Of the
    query, a WITH joins that of the statement, before what calls it: DuckDB 1.4.0 loses names of one
    that stands inside another query. Arguments may contain no parentheses, and a statement with the
    macros that it calls no name twice.
    """
    bare = _without_comments(text).strip()
    return "\n".join(f"{_flat(statement)};" for statement in bare.removesuffix(";").split(";"))


def _flat(statement: str) -> str:
    named, query = _named(statement)
    if not named:
        return query
    return "WITH {}\n{}".format(",\n".join(f"{name} ({of})" for name, of in named), query)


def _named(text: str) -> tuple[list[tuple[str, str]], str]:
    """The names of a WITH, each with its query, and what comes after it, without table macros."""
    call = re.compile(rf"\b({'|'.join(table_macros())})\(([^()]*)\)")
    named: list[tuple[str, str]] = []

    def query_of(found: re.Match[str]) -> str:
        parameters, body = table_macros()[found[1]]
        body = _without_comments(body)
        for parameter, argument in zip(parameters, found[2].split(", "), strict=True):
            body = re.sub(rf"\b{parameter}\b", argument, body)
        # A relation of the caller, by its plain name.
        inner, query = _named(re.sub(r"\bquery_table\('(\w+)'\)", r"\1", body))
        named.extend(inner)
        return f"({query})"

    rest = text.strip()
    while begun := re.match(r"(?:WITH|,)\s+(\w+ AS(?: NOT MATERIALIZED)?) \(", rest):
        end = _closed(rest, begun.end())
        of = call.sub(query_of, rest[begun.end() : end])
        named.append((begun[1], of))
        rest = rest[end + 1 :].strip()
    return named, call.sub(query_of, rest)


def _closed(text: str, start: int) -> int:
    """Where the parenthesis closes that was opened before `start`."""
    depth = 1
    for found in re.compile(r"'[^']*'|[()]").finditer(text, start):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0:
            return found.start()
    raise ValueError(f"a parenthesis is not closed: {text}")


def _without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)


def quoted(path: Path | str) -> str:
    """`path` as text in SQL."""
    return "'{}'".format(str(path).replace("'", "''"))
