"""Who may send: stores, their tokens, allowed origins and rights, from one TOML file.

    [stores.shop]
    tokens_sha256 = ["…"]                  # several while a token is being replaced
    origins = ["https://shop.example"]     # none: any origin
    backfill = false

Only hashes are kept, so the file gives no token away, and nothing here can log one.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from pipeline.ingest.accept import Sender

_SHA256 = re.compile(r"[0-9a-f]{64}")


class StoresError(Exception):
    """The stores' file cannot be used; one line that says what to do."""


@dataclass(frozen=True)
class Store:
    """One store: its id and rights, and the origins that browsers may send from."""

    sender: Sender
    origins: frozenset[str] = frozenset()

    def allows(self, origin: str) -> bool:
        """Whether a page of `origin` may send; without a list every page may."""
        return not self.origins or origin in self.origins


class StoreEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A store as it stands in the file; tokens as SHA-256 in hexadecimal."""

    tokens_sha256: list[str]
    origins: list[str] = []
    backfill: bool = False


class _File(msgspec.Struct, forbid_unknown_fields=True):
    stores: dict[str, StoreEntry] = {}


class Stores:
    """All stores, found by token."""

    def __init__(self, entries: dict[str, StoreEntry]) -> None:
        self._by_hash: dict[str, tuple[str, Store | None]] = {}
        self._all: list[Store] = []
        for store_id, entry in entries.items():
            store = Store(Sender(store_id, entry.backfill), frozenset(entry.origins))
            for digest in entry.tokens_sha256:
                if not _SHA256.fullmatch(digest):
                    raise StoresError(f"store {store_id}: a token's SHA-256 is 64 hex digits")
                if digest in self._by_hash:
                    raise StoresError(f"store {store_id}: one of its tokens is used twice")
                self._by_hash[digest] = (digest, store)
                self._all.append(store)

    @classmethod
    def load(cls, path: Path) -> Stores:
        """The stores in `path`. Raises `StoresError`."""
        try:
            file = msgspec.toml.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            raise StoresError(f"no stores file {path}: write one, or run `pipeline demo`") from None
        except OSError as error:
            raise StoresError(f"{path} cannot be read: {error.strerror}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoresError(f"{path} is not a stores file: {error}") from None
        try:
            return cls(file.stores)
        except StoresError as error:
            raise StoresError(f"{path}: {error}") from None

    def by_token(self, token: str) -> Store | None:
        """The store that `token` belongs to."""
        digest = sha256(token.encode()).hexdigest()
        # The time of the look-up tells of hashes only, which nobody can steer towards one of ours;
        # the last word is a comparison in constant time all the same.
        known, store = self._by_hash.get(digest, ("", None))
        return store if hmac.compare_digest(known, digest) else None

    def any_allows(self, origin: str) -> bool:
        """Whether some store lets `origin` send: a preflight need not carry the token."""
        return any(store.allows(origin) for store in self._all)


def new_token() -> tuple[str, str]:
    """A random token, and the SHA-256 that stands for it in the file."""
    token = secrets.token_urlsafe(24)
    return token, sha256(token.encode()).hexdigest()


def write_stores(path: Path, entries: Mapping[str, Any]) -> None:
    """Make or replace the stores' file in one step, readable by its owner only.

    `entries` are `StoreEntry` or the same as a dict, by store id. Raises `StoresError`.
    """
    try:
        stores = msgspec.convert(entries, dict[str, StoreEntry])
    except msgspec.ValidationError as error:
        raise StoresError(f"not stores: {error}") from None
    Stores(stores)  # what cannot be loaded is not written
    lines: list[str] = []
    for store_id, entry in stores.items():
        lines += [
            f"[stores.{_quoted(store_id)}]",
            f"tokens_sha256 = {_quoted_list(entry.tokens_sha256)}",
            f"origins = {_quoted_list(entry.origins)}",
            f"backfill = {str(entry.backfill).lower()}",
            "",
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    new.replace(path)


def _quoted(text: str) -> str:
    # A TOML basic string is written like a JSON string.
    return msgspec.json.encode(text).decode()


def _quoted_list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"
