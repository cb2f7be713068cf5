"""Who was erased, and until when: known by a keyed hash, so that the names are nowhere."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipeline.domain.identity import record_key
from pipeline.file_errors import naming
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.snapshots.snapshot_files import sync_folder

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class ErasureKey:
    """The secret without which a hash does not tell whether it is that of a known device."""

    secret: bytes

    @classmethod
    def read(cls, live: Path) -> ErasureKey | None:
        """That of the warehouse `live`; None while nothing was erased. Raises `DatabaseError`."""
        path = key_file(live)
        try:
            secret = path.read_bytes()
        except FileNotFoundError:
            return None
        if len(secret) != KEY_BYTES:
            raise DatabaseError(f"{path} is not a key of {KEY_BYTES} bytes: restore it")
        return cls(secret)

    @classmethod
    def made(cls, live: Path) -> ErasureKey:
        """That of the warehouse `live`, made and synced if there is none yet."""
        path = key_file(live)
        with TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as folder:
            fresh = Path(folder) / "key"
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with naming(fresh), open(handle, "wb") as file:  # noqa: PTH123  # a descriptor
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process may have been first
                path.hardlink_to(fresh)
            sync_folder(path.parent)
        found = cls.read(path.with_name(live.name))
        if found is None:
            raise DatabaseError(f"{path} was deleted")
        return found

    def hash_of(self, store_id: str, device_key: str) -> str:
        """32 hexadecimal digits."""
        key = record_key(store_id, device_key)
        return blake2b(key, key=self.secret, digest_size=16).hexdigest()

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that tell this key from another."""
        return blake2b(key=self.secret, digest_size=8).hexdigest()


def key_file(live: Path) -> Path:
    """Where the key of a live database is kept: beside it, in no copy of it."""
    return live.with_name("erasures.key")


class Erasures:
    """The erased devices that a warehouse knows. It takes nothing of theirs any more (E2)."""

    def __init__(self, key: ErasureKey | None = None, until: dict[str, int] | None = None) -> None:
        self._key = key
        self._until = until or {}

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection, live: Path) -> Erasures:
        """Those of the database `live`. Raises `DatabaseError` without the key of all of them."""
        rows = connection.execute(
            "SELECT device_hash, key_hash, max(epoch_ms(erased_at)) FROM erasures GROUP BY ALL"
        ).fetchall()
        if not rows:
            return cls()
        key = ErasureKey.read(live)
        if key is None or {key_hash for _, key_hash, _ in rows} != {key.hash}:
            raise DatabaseError(
                f"{key_file(live)} is missing or another: without the key that it had, what was"
                " erased could come back: restore it"
            )
        return cls(key, {device: until for device, _, until in rows})

    def add(self, key: ErasureKey, store_id: str, device_key: str, *, until: int) -> None:
        """Know one more, whose rows up to `until` (ms) are gone."""
        self._key = key
        device = key.hash_of(store_id, device_key)
        self._until[device] = max(until, self._until.get(device, until))

    def until(self, store_id: str, device_key: str) -> int | None:
        """The time (ms) up to which the device is erased; None if it is not."""
        if self._key is None:
            return None
        return self._until.get(self._key.hash_of(store_id, device_key))

    def have(self, store_id: str, devices: list[str], *, received_at: int) -> bool:
        """Whether any of `devices` was erased when it sent what came at `received_at` (ms)."""
        known = (self.until(store_id, device) for device in devices)
        return any(until is not None and received_at <= until for until in known)

    def __bool__(self) -> bool:
        return bool(self._until)
