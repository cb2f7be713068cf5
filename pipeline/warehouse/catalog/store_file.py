"""The catalog of one store as a file in the home: what the store wants the warehouse to have.

`import` replaces it in one step, and the loader takes it. It stays there, as the stores file does:
a warehouse that begins anew takes it again.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from pipeline.file_errors import naming
from pipeline.warehouse.catalog.entries import CatalogError, Entry
from pipeline.warehouse.folder_lock import locked
from pipeline.warehouse.snapshots.snapshot_files import sync_folder

FOLDER = "catalog"
_SUFFIX = ".parquet"
_SCHEMA = pa.schema([(name, pa.string()) for name in Entry._fields])
_STORE, _IMPORTED_AT = b"store", b"imported_at"


@dataclass(frozen=True)
class StoreCatalog:
    """All entries of `store`, columns named as the fields of `Entry`; `sha256` is the file's."""

    store: str
    imported_at: datetime
    entries: pa.Table
    sha256: str


def catalog_files(live: Path) -> dict[str, Path]:
    """The catalogs of the home of `live`, by their names relative to it."""
    folder = live.with_name(FOLDER)
    return {f"{FOLDER}/{path.name}": path for path in sorted(folder.glob(f"*{_SUFFIX}"))}


def write_store(live: Path, store: str, entries: Sequence[Entry], *, at: datetime) -> None:
    """Make `entries` the catalog of `store`, imported `at` (UTC), in the place of the one before.

    A kill leaves the old or the new. Raises OSError, and `DatabaseError` while another writes.
    """
    columns = list(zip(*entries, strict=True)) or [()] * len(_SCHEMA)
    table = pa.table([pa.array(each, pa.string()) for each in columns], schema=_SCHEMA)
    about = {_STORE: store.encode(), _IMPORTED_AT: at.isoformat().encode()}
    folder = live.with_name(FOLDER)
    # A store's name may be longer than a file's, or contain a slash.
    target = folder / f"{hashlib.sha256(store.encode()).hexdigest()[:32]}{_SUFFIX}"
    with locked(folder):
        fresh = target.with_suffix(".new")
        with naming(fresh), fresh.open("wb") as file:
            parquet.write_table(table.replace_schema_metadata(about), file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
        sync_folder(folder)


def read_store(path: Path) -> StoreCatalog:
    """What `write_store` wrote. Raises `CatalogError` for anything else, and OSError."""
    content = path.read_bytes()
    try:
        table = parquet.read_table(io.BytesIO(content))
        about = table.schema.metadata
        return StoreCatalog(
            about[_STORE].decode(),
            datetime.fromisoformat(about[_IMPORTED_AT].decode()),
            table.cast(_SCHEMA),
            hashlib.sha256(content).hexdigest(),
        )
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CatalogError(f"{path} is damaged ({reason}): import it again") from None
