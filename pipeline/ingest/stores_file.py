"""The stores' file: changed under a lock, in one step, for its owner only.

    [stores.shop]
    tokens_sha256 = ["…", "…"]                      # several while a token is being replaced
    token_ends = { "…" = 2026-12-01T00:00:00Z }     # none: it has no end
    token_rights = { "…" = ["orders"] }             # none: it may send
    timezone = "Europe/Berlin"                      # none: UTC
    origins = ["https://shop.example"]              # none: any origin
    backfill = false
    requests_per_second = 50.0                      # none: as the settings say

What people have written beside the values, and every entry that is not changed, stays as it is.
"""

from __future__ import annotations

import fcntl
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec

from pipeline.file_errors import naming
from pipeline.ingest.sender import DEFAULT_ZONE
from pipeline.ingest.stores import StoreEntry, Stores, StoresError, parse_entries

_HEADER = "[stores."


@contextmanager
def changing(path: Path) -> Iterator[dict[str, StoreEntry]]:
    """The stores by id, to be changed in the `with`; written at its end if that did not raise.

    Another writer waits meanwhile. Raises `StoresError`, OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = path.read_bytes() if path.exists() else b""
        entries = parse_entries(text, path)
        before = msgspec.convert(msgspec.to_builtins(entries), dict[str, StoreEntry])
        yield entries
        Stores(entries)  # what cannot be loaded is not written
        _replace(path, _edited(text.decode(), before, entries))


def write_stores(path: Path, entries: Mapping[str, Any]) -> None:
    """Make the stores' file what `entries` say: `StoreEntry`, or the same as a dict, by id.

    Raises `StoresError`.
    """
    try:
        wanted = msgspec.convert(entries, dict[str, StoreEntry])
    except msgspec.ValidationError as error:
        raise StoresError(f"not stores: {error}") from None
    with changing(path) as stores:
        stores.clear()
        stores.update(wanted)


def _replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with naming(new), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)


def _edited(text: str, before: Mapping[str, StoreEntry], after: Mapping[str, StoreEntry]) -> str:
    """`text` with the sections of what differs changed; rewritten whole if that fails."""
    parts = _parts(text)
    for store_id in before.keys() - after.keys():
        parts = [part for part in parts if part[0] != store_id]
    parts = [
        (name, _section(lines, after[name]) if name and after[name] != before[name] else lines)
        for name, lines in parts
    ]
    for store_id, entry in after.items():
        if store_id not in before:
            parts.append((store_id, _section([f"{_HEADER}{_quoted(store_id)}]"], entry)))
    edited = "\n".join(line for _, lines in parts for line in lines).strip("\n") + "\n"
    try:
        if parse_entries(edited.encode(), Path()) == after:
            return edited
    except StoresError:
        pass  # TOML has more ways to write a table than `_parts` knows
    lines = [_section([f"{_HEADER}{_quoted(name)}]"], entry) for name, entry in after.items()]
    return "\n".join(line for section in lines for line in section)


def _parts(text: str) -> list[tuple[str | None, list[str]]]:
    """Runs of lines, each with the store whose section it is; before the first: None."""
    parts: list[tuple[str | None, list[str]]] = [(None, [])]
    for line in text.splitlines():
        if line.startswith(_HEADER):
            # What stands right above a header is about it.
            above: list[str] = []
            while parts[-1][1] and parts[-1][1][-1].startswith("#"):
                above.insert(0, parts[-1][1].pop())
            parts.append((_store_of(line), [*above, line]))
        else:
            parts[-1][1].append(line)
    return parts


def _store_of(header: str) -> str | None:
    try:
        return str(next(iter(tomllib.loads(header)["stores"])))
    except tomllib.TOMLDecodeError:
        return None


def _section(lines: list[str], entry: StoreEntry) -> list[str]:
    """A store's lines with its values; other lines, as comments, stay."""
    values = _values(entry)
    kept: list[str] = []
    for line in lines:
        key = line.split("=", 1)[0].strip()
        if key not in StoreEntry.__struct_fields__ or "=" not in line:
            kept.append(line)
        elif key in values:
            kept.append(f"{key} = {values.pop(key)}")
    while kept and not kept[-1].strip():
        kept.pop()
    return [*kept, *(f"{key} = {value}" for key, value in values.items()), ""]


def _values(entry: StoreEntry) -> dict[str, str]:
    """TOML of each value that the file names."""
    values = {
        "tokens_sha256": _list(entry.tokens_sha256),
        "origins": _list(entry.origins),
        "backfill": str(entry.backfill).lower(),
    }
    if entry.token_ends:
        ends = [
            f"{_quoted(digest)} = {end.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}"
            for digest, end in entry.token_ends.items()
        ]
        values["token_ends"] = f"{{ {', '.join(ends)} }}"
    if entry.token_rights:
        rights = [
            f"{_quoted(digest)} = {_list(list(some))}"
            for digest, some in entry.token_rights.items()
        ]
        values["token_rights"] = f"{{ {', '.join(rights)} }}"
    if entry.timezone != DEFAULT_ZONE:
        values["timezone"] = _quoted(entry.timezone)
    for name in ("requests_per_second", "burst"):
        if (amount := getattr(entry, name)) is not None:
            values[name] = repr(float(amount))
    return values


def _quoted(text: str) -> str:
    # A TOML basic string is written like a JSON string.
    return msgspec.json.encode(text).decode()


def _list(texts: list[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"
