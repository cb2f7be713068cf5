"""How the snapshot was copied, in a file beside it: `publish.json`, for `pipeline status`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.warehouse.database import DatabaseError


@dataclass(frozen=True, slots=True)
class Copy:
    """How a file was copied: `reflink` or `copy`, in how many seconds, how many bytes.

    Those of a snapshot include the checkpoint before the copy.
    """

    method: str
    seconds: float
    bytes: int

    def record(self, snapshot: Path, *, mode: int) -> None:
        """Write the file beside `snapshot`. Raises OSError."""
        path = _record_of(snapshot)
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)  # of a loader that was killed
        fresh.write_bytes(msgspec.json.encode(self))
        fresh.chmod(mode)
        fresh.replace(path)

    @classmethod
    def recorded(cls, snapshot: Path) -> Copy | None:
        """That of `snapshot`; None for one of an earlier version. Raises `DatabaseError`."""
        path = _record_of(snapshot)
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DatabaseError(f"{path} cannot be read ({error}): delete it") from None


def _record_of(snapshot: Path) -> Path:
    return snapshot.with_name("publish.json")
