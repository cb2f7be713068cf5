"""What each table, view, column and macro means, as comments in the database: for any SQL tool."""

from __future__ import annotations

from functools import cache

import duckdb
import msgspec

from pipeline.warehouse.sql import FOLDER, quoted

_HELD = """
    SELECT 'TABLE', table_name, NULL, comment FROM duckdb_tables()
    WHERE NOT internal AND NOT temporary AND database_name = current_database()
    UNION ALL
    SELECT 'VIEW', view_name, NULL, comment FROM duckdb_views()
    WHERE NOT internal AND NOT temporary AND database_name = current_database()
    UNION ALL
    SELECT 'COLUMN', table_name, column_name, comment FROM duckdb_columns()
    WHERE NOT internal AND database_name = current_database()
    UNION ALL
    SELECT DISTINCT 'MACRO', function_name, NULL, comment FROM duckdb_functions()
    WHERE NOT internal AND function_type = 'macro' AND database_name = current_database()
"""

_LACKING = """
    SELECT EXISTS (
        FROM duckdb_columns()
        WHERE comment IS NULL AND NOT internal AND database_name = current_database()
    )
"""


class Glossary(msgspec.Struct, frozen=True):
    """`sql/glossary.json`, which `make docs` writes from docs/glossary.md and sql/macros."""

    macros: dict[str, str]
    everywhere: dict[str, str]
    grains: dict[str, str]
    columns: dict[str, dict[str, str]]

    def meaning(self, name: str, column: str | None) -> str | None:
        """That of a table, view or macro, or of a column of it; None where it has none."""
        if column is None:
            return self.grains.get(name) or self.macros.get(name)
        return self.columns.get(name, {}).get(column) or self.everywhere.get(column)


@cache
def glossary() -> Glossary:
    """The meanings of this version."""
    return msgspec.json.decode((FOLDER / "glossary.json").read_bytes(), type=Glossary)


def lacks_comments(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a view was made again since `comment`, which takes ten times as long."""
    return bool(connection.execute(_LACKING).fetchall()[0][0])


def comment(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the comments that the database lacks or has otherwise: none, in most calls.

    A view that is made again loses its comments. All in one transaction, which changes no row.
    """
    missing = [
        f"COMMENT ON {kind} {place} IS {quoted(text)}"
        for kind, name, column, held in connection.execute(_HELD).fetchall()
        if (text := glossary().meaning(name, column)) and text != held
        for place in [f'"{name}"' if column is None else f'"{name}"."{column}"']
    ]
    if not missing:
        return
    connection.execute("BEGIN")
    try:
        connection.execute("; ".join(missing))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
