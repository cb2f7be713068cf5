"""Answers as text: a table for people, CSV, JSON and Markdown for everything else."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import click
import msgspec

from pipeline.cli.command import show
from pipeline.printable import printable, printable_json, printable_lines
from pipeline.warehouse.queries import QueryResult


def print_as(answer: QueryResult, form: str) -> None:
    """Print every row and column. A terminal obeys nothing of it, and a file gets it as it is."""
    if form == "table":
        show(answer)
    else:
        click.echo(FORMATS[form](answer), nl=False)


def as_csv(answer: QueryResult) -> str:
    """RFC 4180, with a line of names; NULL is empty."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([_text(value) for value in row] for row in answer.rows)
    return printable_lines(text.getvalue()) if sys.stdout.isatty() else text.getvalue()


def as_json(answer: QueryResult) -> str:
    """A list of objects, one a line; amounts with all their places."""
    lines = []
    for row in answer.rows:
        named = {name: _plain(value) for name, value in zip(answer.columns, row, strict=True)}
        lines.append(printable_json(named).decode())
    return "[" + ",\n ".join(lines) + "]\n"


def as_markdown(answer: QueryResult) -> str:
    """A table of GitHub's Markdown."""
    rows = [answer.columns, ["---"] * len(answer.columns), *answer.rows]
    return "".join(
        "| " + " | ".join(printable(_text(value)).replace("|", "\\|") for value in row) + " |\n"
        for row in rows
    )


FORMATS: dict[str, Callable[[QueryResult], str]] = {
    "csv": as_csv,
    "json": as_json,
    "markdown": as_markdown,
}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        return printable_json(_plain(value)).decode()
    return str(value)


def _plain(value: Any) -> Any:
    """With exact numbers, which JSON has and msgspec writes as text."""
    if isinstance(value, Decimal):
        return msgspec.Raw(str(value).encode()) if value.is_finite() else str(value)
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >> 63:
        return msgspec.Raw(str(value).encode())
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
