"""Who may send: stores, their tokens, allowed origins and rights.

Only hashes of tokens are kept, so the file gives none away, and nothing here can log one.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from pipeline.bounded_cache import remembered
from pipeline.ingest.rate_limit import NO_RATE, Rate
from pipeline.ingest.sender import DEFAULT_ZONE, Sender, checked_zone

log = logging.getLogger(__name__)

_SHA256 = re.compile(r"[0-9a-f]{64}")
NEVER = float("inf")
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
# `orders`: the token is a server's secret, and what it says of an order is believed (A11).
Right = Literal["orders"]
Amount = Annotated[float, msgspec.Meta(ge=0)]


class StoresError(Exception):
    """The stores' file cannot be used, or not so; one line that says what to do."""


class StoreEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A store as it stands in the file; tokens as SHA-256 in hexadecimal.

    `token_ends`: from when on a token is refused, by its SHA-256; without one it has no end.
    `token_rights`: what a token may do beside sending, likewise. `timezone`: an IANA name (T10).
    """

    tokens_sha256: list[str]
    token_ends: dict[str, Moment] = {}
    token_rights: dict[str, list[Right]] = {}
    timezone: str = DEFAULT_ZONE
    origins: list[str] = []
    backfill: bool = False
    requests_per_second: Amount | None = None
    burst: Amount | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    stores: dict[str, StoreEntry] = {}


@dataclass(frozen=True)
class Store:
    """One store: its id and rights, the origins that browsers may send from, its own rate."""

    sender: Sender
    origins: frozenset[str] = frozenset()
    rate: Rate = NO_RATE

    def allows(self, origin: str) -> bool:
        """Whether a page of `origin` may send; without a list every page may."""
        return not self.origins or origin in self.origins


class _Token(NamedTuple):
    """A token, its end, and what it stands for.

    That is `waiting` while a server's token of the store confirms orders (A11). Times are epoch
    seconds.
    """

    digest: str
    end: float
    store: Store | None
    waiting: Store | None
    confirmed_until: float = -NEVER


_NONE = _Token("", NEVER, None, None)


def _end(entry: StoreEntry, digest: str) -> float:
    end = entry.token_ends.get(digest)
    return end.timestamp() if end else NEVER


class Stores:
    """All stores, found by token; `refresh` takes over what the file says since."""

    def __init__(self, entries: Mapping[str, StoreEntry], path: Path | None = None) -> None:
        self._path = path
        self._stamp = _stamp(path)
        """Of the file that was taken over last."""
        self._said: tuple[object, str] | None = None
        self.problem = ""
        """Why the file cannot be used, and is not; empty if it is."""
        self._become(entries)

    def _become(self, entries: Mapping[str, StoreEntry]) -> None:
        by_hash: dict[str, _Token] = {}
        stores: list[Store] = []
        for store_id, entry in entries.items():
            try:
                zone = checked_zone(entry.timezone)
            except ValueError as error:
                raise StoresError(f"store {store_id}: {error}") from None
            store = Store(
                Sender(store_id, entry.backfill, zone),
                frozenset(entry.origins),
                Rate(entry.requests_per_second, entry.burst),
            )
            trusted = replace(store, sender=replace(store.sender, is_trusted=True))
            waiting = replace(store, sender=replace(store.sender, needs_confirmation=True))
            servers = [
                digest for digest, rights in entry.token_rights.items() if "orders" in rights
            ]
            confirmed_until = max((_end(entry, digest) for digest in servers), default=-NEVER)
            for digest in entry.tokens_sha256:
                if not _SHA256.fullmatch(digest):
                    raise StoresError(f"store {store_id}: a token's SHA-256 is 64 hex digits")
                if digest in by_hash:
                    raise StoresError(f"store {store_id}: one of its tokens is used twice")
                end = _end(entry, digest)
                by_hash[digest] = (
                    _Token(digest, end, trusted, trusted)
                    if digest in servers
                    else _Token(digest, end, store, waiting, confirmed_until)
                )
            for name in ("token_ends", "token_rights"):
                if not set(getattr(entry, name)) <= set(entry.tokens_sha256):
                    raise StoresError(f"store {store_id}: {name} names none of its tokens")
            if entry.tokens_sha256:
                stores.append(store)
        # All of it is known to be right before any of it holds.
        self._by_hash = by_hash
        self._any_origin = any(not store.origins for store in stores)
        self._origins = frozenset[str]().union(*(store.origins for store in stores))
        self.count = len(entries)

    @classmethod
    def load(cls, path: Path) -> Stores:
        """The stores in `path`. Raises `StoresError`."""
        stores = cls({}, path)
        stores._read(path)
        return stores

    def _read(self, path: Path) -> None:
        entries = read_entries(path)
        try:
            self._become(entries)
        except StoresError as error:
            raise StoresError(f"{path}: {error}") from None

    def refresh(self) -> None:
        """Read the file again if it has changed; one that cannot be used changes nothing.

        It is tried each time until it can be used, for what failed may have been the reading, and
        a token revoked in it holds until then. That is said once per change and reason, and
        `problem` says so meanwhile.
        """
        stamp = _stamp(self._path)
        if self._path is None or (stamp == self._stamp and not self.problem):
            return
        try:
            self._read(self._path)
        except StoresError as error:
            self.problem = str(error)
            if self._said != (stamp, str(error)):
                self._said = (stamp, str(error))
                log.error("stores stay as they were: %s", error)  # noqa: TRY400  # a user's slip
        else:
            # Taken before the reading: what is written meanwhile is seen the next time.
            self._stamp = stamp
            self._said = None
            self.problem = ""
            log.info("stores read again: %d", self.count)

    def by_token(self, secret: str, *, at: float) -> Store | None:
        """The store that the token `secret` is of, unless it has ended `at` (epoch seconds)."""
        digest = _digest(secret)
        # The lookup's time reveals only hashes, which a caller cannot choose. The comparison is in
        # constant time as well.
        token = self._by_hash.get(digest, _NONE)
        if not hmac.compare_digest(token.digest, digest) or at >= token.end:
            return None
        return token.waiting if at < token.confirmed_until else token.store

    def any_allows(self, origin: str) -> bool:
        """Whether some store lets `origin` send: a preflight need not carry the token."""
        return self._any_origin or origin in self._origins


# A shop's pages send the same token each time; a stranger's may be as long as a head.
@remembered(most=256, longest=256)
def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def parse_entries(text: bytes, path: Path) -> dict[str, StoreEntry]:
    """The stores in a file's `text`, by id. Raises `StoresError`."""
    try:
        return msgspec.toml.decode(text, type=_File).stores
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoresError(f"{path} is not a stores file: {' '.join(str(error).split())}") from None


def read_entries(path: Path) -> dict[str, StoreEntry]:
    """The stores in `path`, by id. Raises `StoresError`."""
    try:
        return parse_entries(path.read_bytes(), path)
    except FileNotFoundError:
        raise StoresError(
            f"no stores file {path}: make a store with `pipeline stores add`, or run"
            " `pipeline demo`"
        ) from None
    except OSError as error:
        raise StoresError(f"{path} cannot be read: {error.strerror}") from None


def new_token() -> tuple[str, str]:
    """A random token, and the SHA-256 that stands for it in the file."""
    token = secrets.token_urlsafe(24)
    return token, _digest(token)


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    """What differs when the file does; None where there is none."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
