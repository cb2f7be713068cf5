"""Run any version of DuckDB's Python client in a separate process.

`duckdb_clients.py FOLDER ONE TWO` prints what two snapshots answer that are attached at a time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

# Any name will do: one that has to be quoted, and one that is a table's.
NAMES = ("my shop", "events")
MACROS = (
    "event_rank('purchase')",
    "half_even(CAST('2.50005' AS DECIMAL(18, 5)), 1)",
    "ten_thousandths(CAST('12.3456' AS DECIMAL(18, 4)))",
)


def client(version: str, cache: Path) -> Path:
    """The folder of the unpacked wheel, downloaded once."""
    folder = cache / "duckdb" / version
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run(
                [*pip, "--only-binary", ":all:", "--dest", made, f"duckdb=={version}"], check=True
            )
            (wheel,) = Path(made).glob("*.whl")
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(Path(made) / "unpacked")
            (Path(made) / "unpacked").rename(folder)
    return folder


def asked(folder: Path, one: Path, two: Path) -> dict[str, Any]:
    """The columns and rows of each view and macro, or the client's error, by its full name."""
    # Without the site's packages: the client of this project must not stand in for the other.
    command = [sys.executable, "-I", "-S", __file__, str(folder), str(one), str(two)]
    # Some versions answer a query that they cannot stream by waiting for ever.
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120)
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def _print_answers(folder: str, *snapshots: str) -> None:
    sys.path.insert(0, folder)
    import duckdb  # noqa: PLC0415  # the one of that folder

    answers: dict[str, Any] = {"version": duckdb.__version__}
    connection = duckdb.connect()
    for name, snapshot in zip(NAMES, snapshots, strict=True):
        connection.execute(f"ATTACH '{snapshot}' AS \"{name}\" (READ_ONLY)")
    views = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = ?"
    for name in NAMES:
        found = [view for (view,) in connection.execute(views, [name]).fetchall()]
        asked = {view: f'FROM "{name}".main.{view}' for view in found}
        asked |= {macro: f'SELECT "{name}".main.{macro}' for macro in MACROS}
        for what, query in asked.items():
            try:
                columns = connection.execute(f"DESCRIBE {query}").fetchall()
                rows = connection.execute(query).fetchall()
            except duckdb.Error as error:
                answers[f"{name}.{what}"] = str(error).splitlines()[0]
            else:
                described = [column[:2] for column in columns if what not in MACROS]
                answers[f"{name}.{what}"] = [described, sorted(map(str, rows))]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    _print_answers(*sys.argv[1:])
