"""`answer.py SNIPPET [PACKAGES]`: run a snippet, then answer each line of stdin by its `ask`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def rows_of(answer: Any) -> list[list[Any]]:
    """Rows of a list, or of a table of pandas, Polars or Arrow."""
    if hasattr(answer, "to_pylist"):
        return [list(row.values()) for row in answer.to_pylist()]
    if hasattr(answer, "rows"):
        return [list(row) for row in answer.rows()]
    if hasattr(answer, "values"):
        return answer.values.tolist()  # of pandas itself
    return [list(row) for row in answer]


def main(path: str, *packages: str) -> None:
    sys.path[:0] = packages
    names: dict[str, Any] = {}
    exec(compile(Path(path).read_text(), path, "exec"), names)  # noqa: S102  # of our own page
    import duckdb  # noqa: PLC0415  # the one that the snippet has found

    print("ready", duckdb.__version__, flush=True)
    for question in sys.stdin:
        print(json.dumps(rows_of(names["ask"](question)), default=int), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
