"""What was erased, kept beside backups: an older one would bring it back (decision 0040)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date
from pathlib import Path

import duckdb
import msgspec

from pipeline.domain.erasure import customer_key, named_in
from pipeline.warehouse.archive.freezing import set_mode
from pipeline.warehouse.backup.contents import BackupError, copy
from pipeline.warehouse.database import DatabaseError, connect_live
from pipeline.warehouse.erasing.before import Home, finish, refuse_too_late, take_away
from pipeline.warehouse.erasing.erasures import ErasureKey, key_file
from pipeline.warehouse.erasing.receipts import Receipt
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.erased import Eraser, Erasure
from pipeline.warehouse.load.transaction import Transactions

_FOLDER = "erasures"
_KNOWN = """
    INSERT INTO erasures BY NAME
    SELECT
        $device_hash AS device_hash, $key_hash AS key_hash, $erased_at AS erased_at,
        $partition AS partition, $offset AS "offset", $before AS before,
        0 AS events, 0 AS duplicates, 0 AS rejected, $finished_at AS finished_at
"""
_KEYS = "SELECT DISTINCT store_id, device_key, customer_id FROM events"


def keep(live: Path, folder: Path) -> None:
    """Copy the receipts of the home of `live`, and their key, into a folder of `folder`.

    It is there even if nothing was erased. Raises OSError.
    """
    kept = folder / _FOLDER
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    receipts = sorted(live.with_name(_FOLDER).glob("*.json"))
    for path in (*receipts, key_file(live)):
        if path.exists() and not (kept / path.name).exists():
            with path.open("rb") as file:
                copy(file, kept / path.name)
            set_mode(kept / path.name, 0o400)


def kept_beside(folder: Path) -> Path | None:
    """Where they were kept for a backup, or a folder of backups; None where they were not."""
    found = (folder / _FOLDER, folder.resolve().parent / _FOLDER)
    return next((path for path in found if path.is_dir()), None)


def erase_again(home: Home, kept: Path) -> list[date]:
    """Erase from a restored `home` what `kept` says, and leave nothing of it in any file.

    Returns the days before which all must be erased again, once the loader has read so far. What a
    kill left, the next call completes. Raises `DatabaseError`.
    """
    receipts = [
        msgspec.json.decode(path.read_bytes(), type=Receipt) for path in sorted(kept.glob("*.json"))
    ]
    if not receipts:
        return []
    key = _key(home.live, kept)
    with connect_live(home.live, home.rules, home.resources) as connection:
        held = connection.execute('SELECT device_hash, partition, "offset" FROM erasures')
        known = set(held.fetchall())
        new = [r for r in receipts if (r.device_hash, r.partition, r.offset) not in known]
        _erase(connection, home, key, {r.device_hash: r for r in new if r.before is None})
        left = list(_erase_before(connection, home, [r.before for r in new if r.before]))
        for receipt in new:
            if receipt.before not in left:
                connection.execute(_KNOWN, _row(receipt, key))
    finish(home)
    return left


def _key(live: Path, kept: Path) -> ErasureKey:
    """That of the receipts, which the home gets if it has none."""
    secret = key_file(kept / live.name)
    if not key_file(live).exists() and secret.exists():
        with secret.open("rb") as file:
            copy(file, key_file(live))
    key = ErasureKey.read(live)
    if key is None or key != ErasureKey.read(secret):
        raise BackupError(f"{secret} is missing, or not the key of the backup: restore it first")
    return key


def _erase(
    connection: duckdb.DuckDBPyConnection, home: Home, key: ErasureKey, asked: dict[str, Receipt]
) -> None:
    eraser = Eraser(connection, home.live, mode=home.mode)
    transactions = Transactions(connection, eraser)
    batch = LoadBatch(home.rules)
    for each in _found(connection, key, asked):
        if (each.store_id, each.device_key) in batch.erasures:
            transactions.commit(batch)
            batch = LoadBatch(home.rules)
        batch.erasures[each.store_id, each.device_key] = each
    if batch.erasures:
        transactions.commit(batch)


def _found(
    connection: duckdb.DuckDBPyConnection, key: ErasureKey, asked: dict[str, Receipt]
) -> list[Erasure]:
    """The devices that the receipts are of, by all that the warehouse could know them by."""
    wanted: dict[tuple[str, str, str | None], None] = {}
    for store, device, customer in connection.execute(_KEYS).fetchall():
        wanted[store, device, None] = None
        if customer is not None:
            wanted[store, device, customer] = None
    rejected = connection.execute("SELECT DISTINCT store_id, raw FROM rejected_events").fetchall()
    for store, raw in rejected:
        for name in named_in(raw) or ():
            wanted[store, name, name[2:] if name == customer_key(name[2:]) else None] = None
    found = []
    for store, device, customer in wanted:
        named = device if customer is None else customer_key(customer)
        receipt = asked.get(key.hash_of(store, named))
        if receipt is not None:
            until = round(receipt.erased_at.replace(tzinfo=UTC).timestamp() * 1000)
            place = receipt.partition, receipt.offset
            found.append(Erasure(store, device, until, *place, customer))
    return found


def _erase_before(
    connection: duckdb.DuckDBPyConnection, home: Home, days: Sequence[date]
) -> Iterator[date]:
    for day in days:
        try:
            refuse_too_late(connection, home, day)
        except DatabaseError:
            yield day
        else:
            take_away(connection, home, day)


def _row(receipt: Receipt, key: ErasureKey) -> dict[str, object]:
    names = ("device_hash", "erased_at", "partition", "offset", "before", "finished_at")
    return {name: getattr(receipt, name) for name in names} | {"key_hash": key.hash}
