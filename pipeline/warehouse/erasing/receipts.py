"""What an operator keeps of an erasure: that it is done, of whom only a hash says."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path

import msgspec

from pipeline.file_errors import naming
from pipeline.warehouse.snapshots.snapshot_files import sync_folder


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of `erasures` once it is finished. Times are UTC.

    With `before` it is of all that occurred before that day.
    """

    device_hash: str
    erased_at: datetime
    partition: int
    offset: int
    events: int
    duplicates: int
    rejected: int
    finished_at: datetime
    before: date | None = None

    def keep(self, live: Path) -> None:
        """Write it to its file, synced. Raises OSError."""
        path = receipt_file(live, self.device_hash, self.partition, self.offset)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)  # of a loader that was killed
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with naming(fresh), open(handle, "wb") as file:  # noqa: PTH123  # a descriptor
            file.write(msgspec.json.format(msgspec.json.encode(self)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)


def receipt_file(live: Path, device_hash: str, partition: int, offset: int) -> Path:
    """Where the receipt of the erasure that a record of `beacons` asked for is kept."""
    return live.with_name("erasures") / f"{device_hash}-{partition}-{offset}.json"
