"""`pipeline backup`, `restore` and `export`: what they print, one line for what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import RULES, Log, visit
from processes import Pipeline
from warehouse_fixture import Warehouse

from pipeline.warehouse.snapshots.publish import SnapshotPublisher


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    warehouse, log = Warehouse(home / "live.duckdb", RULES), Log(RULES)
    visit(log)
    warehouse.load(log.outcomes)
    SnapshotPublisher(warehouse.connection, warehouse.path, home / "analytics.duckdb").publish()
    warehouse.connection.close()
    return home


@pytest.mark.usefixtures("home")
def test_a_backup_becomes_a_home(pipeline: Pipeline, tmp_path: Path) -> None:
    secret = {"kafka_sasl_password": "a secret", "kafka_sasl_username": "user"}
    done = pipeline("backup", "backups", half_life="P3D", **secret)
    assert (done.returncode, done.stderr) == (0, "")
    (made,) = tmp_path.glob("backups/*Z")
    assert done.stdout.startswith(f"backups/{made.name}: 1 files, ")
    assert "a secret" not in (made / "backup.json").read_text()
    # Private, as everything that we write.
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "backups").rglob("*")} == {0}

    done = pipeline("backup", "backups", "--verify")
    assert (done.returncode, done.stdout) == (0, "the backups in backups are whole\n")
    done = pipeline("restore", "backups", home=str(tmp_path / "elsewhere"))
    assert (done.returncode, done.stderr) == (0, "")
    *different, last = done.stdout.splitlines()
    assert different == [
        "not set here: PIPELINE_HALF_LIFE=P3D",
        "not set here: PIPELINE_KAFKA_SASL_USERNAME=user",
    ]
    assert last.startswith(f"backups/{made.name} is restored into {tmp_path}/elsewhere: start")
    answers = [
        pipeline("query", "traffic", home=str(tmp_path / of)) for of in ("home", "elsewhere")
    ]
    assert answers[0].stdout == answers[1].stdout != ""
    assert pipeline("check", home=str(tmp_path / "elsewhere")).returncode == 0
    (made / "analytics.duckdb").unlink()
    done = pipeline("backup", "backups", "--verify")
    reason = f"backups/{made.name}/analytics.duckdb cannot be read: No such file or directory\n"
    assert (done.returncode, done.stdout) == (1, reason)


@pytest.mark.usefixtures("home")
def test_a_restore_must_be_told_what_was_erased_since(pipeline: Pipeline, tmp_path: Path) -> None:
    assert pipeline("backup", "backups").returncode == 0
    (made,) = tmp_path.glob("backups/*Z")
    (tmp_path / "backups" / "erasures").rename(tmp_path / "receipts")
    new = {"home": str(tmp_path / "new")}
    done = pipeline("restore", str(made), **new)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "with --erasures, or say --no-erasures" in done.stderr
    assert not (tmp_path / "new").exists()
    assert pipeline("restore", str(made), "--no-erasures", **new).returncode == 0
    other = {"home": str(tmp_path / "other")}
    assert pipeline("restore", str(made), "--erasures", "receipts", **other).returncode == 0


def test_what_cannot_be_is_one_line(pipeline: Pipeline, home: Path, tmp_path: Path) -> None:
    (tmp_path / "products.csv").touch()
    for arguments, settings, reason in (
        (("restore", "nowhere"), {"home": str(tmp_path / "new")}, "nowhere is no backup"),
        (("backup", "backups"), {"home": str(tmp_path / "new")}, "no snapshot at"),
        (("backup", "products.csv"), {}, "File exists"),
        (("backup", str(home)), {}, "choose a folder elsewhere"),
        (("backup", "home/../home/backups"), {}, "choose a folder elsewhere"),
    ):
        done = pipeline(*arguments, **settings)
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        assert reason in done.stderr
    assert pipeline("backup", "backups").returncode == 0
    done = pipeline("restore", "backups")
    assert (done.returncode, "is not empty" in done.stderr) == (1, True)


@pytest.mark.usefixtures("home")
def test_an_export_says_what_it_wrote(pipeline: Pipeline, tmp_path: Path) -> None:
    said = [pipeline("export", "lake", "events", "stores").stdout for _ in range(2)]
    assert said == ["lake: 2 of 2 days written, 6 rows\n", "lake: 0 of 2 days written, 0 rows\n"]
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "lake").rglob("*")} == {0}
    for arguments, code, reason in (
        (("lake", "evnts"), 1, "there is no table 'evnts' to export; choose of: "),
        (("lake", "--since", "yesterday"), 2, "does not match the format"),
    ):
        done = pipeline("export", *arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert reason in done.stderr
