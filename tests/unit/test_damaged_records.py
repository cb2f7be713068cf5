"""Small files that a disk has damaged: bytes that are no text are a line, and no inner error."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.monitoring.process_record import ProcessRecord
from pipeline.warehouse.backup.last_backup import LastBackup
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.snapshots.copy_record import Copy


def test_of_a_copy(tmp_path: Path) -> None:
    (tmp_path / "publish.json").write_bytes(b'{"method":"\xb0"}')
    with pytest.raises(DatabaseError, match=r"publish\.json cannot be read .*: delete it"):
        Copy.recorded(tmp_path / "analytics.duckdb")


def test_of_a_backup(tmp_path: Path) -> None:
    (tmp_path / "backup.json").write_bytes(b'{"folder":"\xb0"}')
    with pytest.raises(DatabaseError, match=r"backup\.json cannot be read .*: delete it"):
        LastBackup.recorded(tmp_path)


def test_of_processes(tmp_path: Path) -> None:
    (tmp_path / "up.json").write_bytes(b'{"ended":"\xb0"}')
    assert ProcessRecord.recorded(tmp_path) is None
