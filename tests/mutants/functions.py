"""Where a function stands in a file of Python."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def places(text: str, function: str) -> list[tuple[int, int]]:
    """Begin and end, in characters, of each definition of `function` ("Class.method") in `text`.

    With the end of the line before, so that a text may begin with it. Raises SyntaxError.
    """
    ends = [0]
    for line in text.splitlines(keepends=True):
        ends.append(ends[-1] + len(line))
    return [
        (max(ends[first - 1] - 1, 0), ends[last])
        for name, first, last in _definitions(ast.parse(text), ())
        if name == function
    ]


def _definitions(node: ast.AST, before: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            name = (*before, child.name)
            first = min(part.lineno for part in (child, *child.decorator_list))
            yield ".".join(name), first, child.end_lineno or first
            yield from _definitions(child, name)
        elif isinstance(child, ast.ClassDef):
            yield from _definitions(child, (*before, child.name))
        else:
            yield from _definitions(child, before)
