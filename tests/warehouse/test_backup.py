"""A backup is one snapshot with all that it names; a home restored from it answers the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from archived import freeze
from backup_kills import back_up_home, restored, silent
from each_kill import assert_whole_after
from homes import RULES, files_in, first_hot_day, make_home, merge_all, publish
from tables import broken_checks, differing, exported

from pipeline.warehouse.backup.contents import Backup, BackupError, newest_backup
from pipeline.warehouse.backup.taking import back_up
from pipeline.warehouse.backup.verifying import damaged
from pipeline.warehouse.catalog.store_file import catalog_files
from pipeline.warehouse.database import DatabaseError, NoSnapshotError, connect_live


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("made"))


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    home = Path(shutil.copytree(made, tmp_path / "home"))
    publish(home)
    return home


def catalogs(home: Path) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in catalog_files(home / "live.duckdb").items()}


def test_a_restored_home_answers_as_the_one_that_is_gone(home: Path, tmp_path: Path) -> None:
    before = exported(home / "analytics.duckdb", tmp_path / "before")
    stores, catalog = (home / "stores.toml").read_text(), catalogs(home)
    assert catalog
    backup = back_up_home(home, tmp_path / "backups")
    shutil.rmtree(home)
    elsewhere = tmp_path / "elsewhere"
    assert restored(backup, elsewhere)[0] == backup
    assert differing(before, exported(elsewhere / "analytics.duckdb", tmp_path / "after")) == []
    assert broken_checks(elsewhere / "analytics.duckdb") == []
    assert (elsewhere / "stores.toml").read_text() == stores
    assert {path.name for path in elsewhere.iterdir()} == {
        "live.duckdb",
        "analytics.duckdb",
        "analytics.duckdb.wal",
        "publish.json",
        "archive",
        "archive.json",
        "catalog",
        "stores.toml",
    }
    assert catalogs(elsewhere) == catalog
    # A loader goes on from it, and what it publishes names the archive where it is now.
    publish(elsewhere)
    assert differing(before, exported(elsewhere / "analytics.duckdb", tmp_path / "again")) == []


def test_a_backup_lists_what_it_holds(home: Path, tmp_path: Path) -> None:
    backup = back_up_home(home, tmp_path / "backups")
    listed = Backup.read(backup)
    assert {file.name for file in listed.files} == files_in(backup) - {"backup.json"}
    assert listed.bytes == sum((backup / file.name).stat().st_size for file in listed.files)
    archived = {f"archive/{name}" for name in files_in(home / "archive")}
    assert len(archived) >= 3
    assert archived < {file.name for file in listed.files}
    assert listed.settings == {"PIPELINE_SESSION_GAP": "PT30M"}


def test_backups_share_archived_files_and_do_not_need_each_other(
    home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    first = back_up_home(home, folder)
    publish(
        home, lambda connection: freeze(connection, home / "archive", first_hot_day(connection))
    )
    second = back_up_home(home, folder)
    assert newest_backup(folder) == second
    shared = files_in(first / "archive")
    assert len(files_in(second / "archive") - shared) == 1
    for name in shared:
        assert (first / "archive" / name).stat().st_ino == (second / "archive" / name).stat().st_ino
    shutil.rmtree(first)
    expected = exported(home / "analytics.duckdb", tmp_path / "before")
    restored(folder, tmp_path / "elsewhere")
    found = exported(tmp_path / "elsewhere" / "analytics.duckdb", tmp_path / "after")
    assert differing(expected, found) == []


def test_where_links_are_impossible_it_copies(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    first = back_up_home(home, tmp_path / "backups")
    monkeypatch.setattr(Path, "hardlink_to", refused)
    second = back_up_home(home, tmp_path / "backups")
    assert files_in(second) == files_in(first)
    monkeypatch.undo()
    restored(second, tmp_path / "elsewhere")


def test_files_that_a_merge_removes_meanwhile_are_those_of_a_newer_snapshot(
    home: Path, tmp_path: Path
) -> None:
    turns: list[int] = []

    def progress(name: str, done: int, _: int) -> None:
        if name == "copying archive" and done == 2 and not turns:
            turns.append(done)
            merge_all(home)

    backup = back_up_home(home, tmp_path / "backups", progress=progress)
    assert turns
    assert len(files_in(backup / "archive")) == 1
    assert files_in(backup / "archive") == files_in(home / "archive")
    restored(backup, tmp_path / "elsewhere")
    assert broken_checks(tmp_path / "elsewhere" / "analytics.duckdb") == []


def flip(path: Path) -> None:
    """Change a bit in the middle of a file."""
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_home_with_a_damaged_archive_gets_no_backup(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    name = min(files_in(home / "archive"))
    flip(home / "archive" / name)
    with pytest.raises(BackupError, match=f"{name} is damaged"):
        back_up_home(home, folder)
    (home / "archive" / name).unlink()
    with pytest.raises(BackupError, match=f"archived events are missing: .*{name}"):
        back_up_home(home, folder)
    assert newest_backup(folder) is None
    with pytest.raises(BackupError, match="is no backup, and holds none"):
        restored(folder, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_a_home_without_a_snapshot_gets_no_backup(made: Path, tmp_path: Path) -> None:
    with pytest.raises(NoSnapshotError, match="no snapshot at"):
        back_up_home(made, tmp_path / "backups")
    assert newest_backup(tmp_path / "backups") is None


@pytest.mark.parametrize("harm", [flip, Path.unlink], ids=["flipped", "missing"])
@pytest.mark.parametrize("kind", ["analytics.duckdb", "stores.toml", ".parquet", "backup.json"])
def test_a_damaged_backup_is_refused_by_the_name_of_the_file(
    home: Path, tmp_path: Path, kind: str, harm: Callable[[Path], None]
) -> None:
    backup = back_up_home(home, tmp_path / "backups")
    victim = next(path for path in sorted(backup.rglob("*")) if path.name.endswith(kind))
    if kind == "backup.json":
        harm = {flip: lambda path: (path.chmod(0o600), path.write_text("{")), Path.unlink: harm}[
            harm
        ]
    harm(victim)
    named = victim.parent if not victim.exists() and kind == "backup.json" else victim
    with pytest.raises(BackupError, match=str(named)):
        restored(backup, tmp_path / "elsewhere")
    # Without them no process starts as if all were well.
    assert not (tmp_path / "elsewhere" / "live.duckdb").exists()


def test_a_list_that_names_files_elsewhere_is_refused(home: Path, tmp_path: Path) -> None:
    backup = back_up_home(home, tmp_path / "backups")
    text = (backup / "backup.json").read_text()
    (backup / "backup.json").chmod(0o600)
    for name in ("../stores.toml", "/etc/stores.toml"):
        (backup / "backup.json").write_text(text.replace("stores.toml", name))
        with pytest.raises(BackupError, match=f"names '{name}'"):
            restored(backup, tmp_path / "elsewhere")


def test_a_home_that_is_not_empty_is_left_alone(home: Path, tmp_path: Path) -> None:
    backup = back_up_home(home, tmp_path / "backups")
    before = files_in(home)
    with pytest.raises(BackupError, match="is not empty"):
        restored(backup, home)
    assert files_in(home) == before


def test_a_stores_file_outside_the_home_stays(home: Path, tmp_path: Path) -> None:
    backup = back_up_home(home, tmp_path / "backups")
    for text in ("kept", None):
        stores = tmp_path / f"{text}.toml"
        if text:
            stores.write_text(text)
        restored(backup, tmp_path / f"home of {text}", stores=stores)
        assert (stores.read_text() == "kept") == (text == "kept")
        assert not (tmp_path / f"home of {text}" / "stores.toml").exists()


def test_one_backup_at_a_time_in_a_folder(home: Path, tmp_path: Path) -> None:
    def progress(*_: object) -> None:
        with pytest.raises(DatabaseError, match="another process is writing to"):
            back_up_home(home, tmp_path / "backups")

    back_up_home(home, tmp_path / "backups", progress=progress)


def test_part_of_one_backup_is_not_completed_by_another(home: Path, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "backups", tmp_path / "elsewhere"
    first = back_up_home(home, folder)
    second = back_up_home(home, folder)
    flip(first / "stores.toml")
    with pytest.raises(BackupError):
        restored(first, elsewhere)
    with pytest.raises(BackupError, match=f"holds part of the backup {first.name}"):
        restored(second, elsewhere)


def test_a_file_that_was_restored_before_is_compared_again(home: Path, tmp_path: Path) -> None:
    backup, elsewhere = back_up_home(home, tmp_path / "backups"), tmp_path / "elsewhere"
    flip(backup / "stores.toml")
    with pytest.raises(BackupError):
        restored(backup, elsewhere)
    flip(backup / "stores.toml")
    archived = min(files_in(elsewhere / "archive"))
    flip(elsewhere / "archive" / archived)
    restored(backup, elsewhere)
    content = (elsewhere / "archive" / archived).read_bytes()
    assert content == (backup / "archive" / archived).read_bytes()


def test_a_live_database_that_was_begun_meanwhile_stays(home: Path, tmp_path: Path) -> None:
    backup, elsewhere = back_up_home(home, tmp_path / "backups"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "restore.unfinished").write_text(backup.name)
    connect_live(elsewhere / "live.duckdb", RULES).close()
    with pytest.raises(BackupError, match="was begun before its backup was restored"):
        restored(backup, elsewhere)
    (elsewhere / "live.duckdb").unlink()
    restored(backup, elsewhere)


def test_damage_is_found_before_a_backup_is_needed(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    with pytest.raises(BackupError, match="holds no backup"):
        damaged(folder, silent)
    made = [back_up_home(home, folder) for _ in range(2)]
    assert damaged(folder, silent) == []
    shared = min((made[0] / "archive").rglob("*.parquet")).relative_to(made[0])
    flip(made[0] / shared)  # a link: of both
    (made[0] / "stores.toml").unlink()
    (made[1] / "backup.json").chmod(0o600)
    found = damaged(folder, silent)
    assert [line.split()[0] for line in found] == [
        str(made[0] / shared),
        str(made[0] / "stores.toml"),
        str(made[1] / shared),
    ]
    (made[1] / "backup.json").write_text("{")
    assert f"{made[1] / 'backup.json'} cannot be read" in damaged(folder, silent)[-1]


def test_the_key_of_erasures_goes_with_it_and_stays_secret(home: Path, tmp_path: Path) -> None:
    (home / "erasures.key").write_bytes(b"secret")
    (home / "erasures.key").chmod(0o600)
    backup, elsewhere = back_up_home(home, tmp_path / "backups"), tmp_path / "elsewhere"
    restored(backup, elsewhere)
    for folder, mode in ((backup, 0o400), (elsewhere, 0o600)):
        assert (folder / "erasures.key").read_bytes() == b"secret"
        assert (folder / "erasures.key").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_kill_at_any_step_leaves_what_the_next_run_completes(
    home: Path, tmp_path: Path, what: str, every: int
) -> None:
    back_up_home(home, tmp_path / "backups")
    publish(
        home, lambda connection: freeze(connection, home / "archive", first_hot_day(connection))
    )
    kills = {"fsync", "replace", "mkdir", "unlink"}
    folder = tmp_path / "backups"
    assert_whole_after("backup_kills.py", what, home, folder, every=every, kills=kills)


def test_the_next_backup_takes_what_a_killed_one_copied(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"

    def interrupted(name: str, done: int, _: int) -> None:
        if name == "copying archive" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up_home(home, folder, progress=interrupted)
    held = {path.stat().st_ino for path in folder.rglob("*.parquet")}
    assert len(held) == 2
    backup = back_up_home(home, folder)
    assert held < {path.stat().st_ino for path in backup.rglob("*.parquet")}


def test_a_backup_is_named_by_its_time(home: Path, tmp_path: Path) -> None:
    at = datetime(2026, 11, 29, 18, 5, 7, 89_000, tzinfo=UTC)
    for number in range(2):
        made = back_up(
            home / "analytics.duckdb",
            tmp_path / "backups",
            others={},
            settings={},
            at=at + number * timedelta(days=1),
            progress=lambda *_: None,
        )
        assert Backup.read(made).taken_at == at + number * timedelta(days=1)
    assert made.name == "20261130T180507.089Z"
    assert newest_backup(tmp_path / "backups") == made
