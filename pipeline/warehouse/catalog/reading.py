"""Reads a catalog from CSV: a header with `id` and `title`, then a row for each entry.

UTF-8, with or without a byte order mark; commas, semicolons, tabs or bars between the columns, as
the header has them; `"` around what contains one of these, or a line end. Columns with other names
are not read. One bad row refuses the file: half a catalog would be taken for the whole one.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.warehouse.catalog.entries import (
    CatalogError,
    Entry,
    id_reader,
    read_address,
    read_text,
)

DELIMITERS = ",;\t|"
MOST_ENTRIES = 1_000_000
# Descriptions, which are not read, may be long.
_LONGEST_CELL = 16 * 1024 * 1024
_SHOWN = 40

_READERS: dict[str, Callable[[str], str | None]] = {
    "title": read_text,
    "url": read_address,
    "image": read_address,
    "category": read_text,
}
_COLUMNS = ("kind", "id", *_READERS)


@dataclass(frozen=True)
class CatalogFile:
    """The entries of a file, and its columns that are not read."""

    entries: list[Entry]
    unread: list[str]


def read_catalog(path: Path) -> CatalogFile:
    """What the CSV file `path` has. Raises OSError, and `CatalogError` with the wrong line."""
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = _decoded(file, path)
        head = next(lines, "")
        names, delimiter = _header(head, path)
        entries: list[Entry] = []
        known: dict[tuple[str, str], int] = {}
        for line, cells in _rows(lines, path, delimiter=delimiter):
            if not any(cells):
                continue
            if len(cells) != len(names):
                raise CatalogError(
                    f"{path}:{line}: {len(cells)} cells, but the header has {len(names)}"
                )
            entry = _entry(dict(zip(names, cells, strict=True)), f"{path}:{line}")
            first = known.setdefault((entry.kind, entry.id), line)
            if first != line:
                raise CatalogError(
                    f"{path}:{line}: id {_short(entry.id)}: this {entry.kind} is in line {first}"
                    " already"
                )
            entries.append(entry)
            if len(entries) > MOST_ENTRIES:
                raise CatalogError(f"{path}:{line}: more than {MOST_ENTRIES:,} entries")
    return CatalogFile(entries, [name for name in names if name not in _COLUMNS])


def _decoded(lines: Iterable[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            line.encode()
        except UnicodeEncodeError:
            raise CatalogError(
                f"{path}:{number}: not UTF-8: save the file as “CSV UTF-8”"
            ) from None
        yield line


def _header(line: str, path: Path) -> tuple[list[str], str]:
    """The names of the columns, and what is between them."""
    for delimiter in DELIMITERS:
        cells = next(csv.reader([line], delimiter=delimiter), [])
        names = [cell.strip().lower() for cell in cells]
        if "id" in names and "title" in names:
            twice = [name for name in _COLUMNS if names.count(name) > 1]
            if twice:
                raise CatalogError(f"{path}:1: there are two columns {twice[0]}")
            return names, delimiter
    raise CatalogError(
        f"{path}:1: the header must name the columns id and title; it is {_short(line.strip())}"
    )


def _rows(lines: Iterator[str], path: Path, *, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row after the header, with the number of its first line."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            is_open = "unexpected end" in str(error) or "field larger" in str(error)
            why = 'a " is not closed' if is_open else str(error)
            raise CatalogError(f"{path}:{line}: {why}") from None
        yield line, cells


def _entry(row: dict[str, str], place: str) -> Entry:
    kind = row.get("kind", "").strip().lower() or "product"
    column = "kind"
    try:
        read = id_reader(kind)
        column = "id"
        found, texts = read(row["id"]), []
        for column, read_cell in _READERS.items():
            texts.append(read_cell(row.get(column, "")))
    except ValueError as error:
        shown = _short(row.get(column, ""))
        raise CatalogError(f"{place}: {column} {shown}: {error}") from None
    return Entry(kind, found, *texts)


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
