"""The one way to the SQL files: `sql/` of a checkout, or what the wheel carries of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
FOLDER = next(folder for folder in (_PACKAGE / "_sql", _PACKAGE.parent / "sql") if folder.is_dir())


@cache
def files(folder: str) -> list[tuple[str, str]]:
    """(name, text) of each file of a folder of `sql/`, in order of their names."""
    return [(path.stem, path.read_text()) for path in sorted((FOLDER / folder).glob("*.sql"))]
