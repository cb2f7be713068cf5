"""Errors of the system and of libraries, in one line with the file and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb
import pytest

from pipeline.cli.command import one_line
from pipeline.cli.system_errors import reason
from pipeline.file_errors import naming
from pipeline.warehouse.cause import cause

FREE = "no space is left on the disk: free some and run it again"
# As DuckDB 1.4 says it on a full file system.
COMMIT = (
    'TransactionContext Error: Failed to commit: Could not write file "/d/x.duckdb.wal": No space'
    " left on device"
)
ASYNC = (
    "IO Error: Async write failed for range [offset=212, size=663]:"
    ' {"exception_type":"IO","exception_message":"Could not write file \\"/d/out/a.parquet\\": No'
    ' space left on device","errno":"28"}'
)


FATAL = (
    "FATAL Error: Failed: database has been invalidated because of a previous fatal error. The"
    " database must be restarted prior to being used again.\nOriginal error: "
    '"Could not allocate"'
)


@pytest.mark.parametrize(
    ("text", "file"), [(COMMIT, "/d/x.duckdb.wal: "), (ASYNC, "/d/out/a.parquet: "), ("", "")]
)
def test_a_full_disk_is_named_with_the_file(text: str, file: str) -> None:
    assert one_line(duckdb.IOException(text or "No space left on device")) == f"{file}{FREE}"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, FREE),
        (errno.EDQUOT, "the disk quota is used up: free some of it and run it again"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_an_error_of_the_system_names_the_file(tmp_path: Path, number: int, said: str) -> None:
    file = tmp_path / "stores.toml.new"
    with pytest.raises(OSError) as raised, naming(file):  # noqa: PT011  # its number is the case
        raise OSError(number, os.strerror(number))
    assert reason(raised.value) == f"{file}: {said}"
    assert reason(OSError(number, os.strerror(number))) == said


def test_the_file_that_is_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    path = tmp_path / "home" / "kafka" / "port"
    with pytest.raises(NotADirectoryError) as raised:
        path.read_text()
    assert reason(raised.value).startswith(f"{tmp_path / 'home'} is a file, not a folder, so")


def test_a_database_that_turns_out_to_be_damaged_is_called_so() -> None:
    said = one_line(duckdb.Error("Corrupt database file: computed checksum 1 does not match 2"))
    assert said.startswith("the database is damaged (Corrupt database file: ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (duckdb.IOException(COMMIT), "/d/x.duckdb.wal: No space left on device"),
        (duckdb.IOException(ASYNC), "/d/out/a.parquet: No space left on device"),
        (duckdb.FatalException(FATAL), "Could not allocate"),
        (duckdb.ConstraintException("Constraint Error: x is twice\nSee y"), "x is twice"),
        (duckdb.Error(""), "Error"),
        (OSError(errno.ENOSPC, "No space left on device", "/d"), "/d: No space left on device"),
        (OSError("no answer"), "no answer"),
        (ValueError("Error: mine"), "Error: mine"),
    ],
)
def test_a_cause_has_no_inner_words_of_duckdb_and_names_the_file(
    error: Exception, said: str
) -> None:
    assert cause(error) == said
    assert cause(error, names_file=False) == said.rpartition(": ")[2] or said == "Error: mine"


def test_what_duckdb_itself_says_of_a_file_that_it_cannot_open(tmp_path: Path) -> None:
    with pytest.raises(duckdb.Error, match=r"^IO Error: ") as raised:
        duckdb.connect(tmp_path / "none" / "x.duckdb")
    assert cause(raised.value) == f"{tmp_path / 'none' / 'x.duckdb'}: No such file or directory"
