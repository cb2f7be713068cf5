"""Dies by SIGKILL before the Nth statement that writes of what expires, and looks at what is left.

`expired_kills.py FOLDER EVERY` does it for one N in EVERY and prints one line a kill: the
statement, and what the next start finds. FOLDER holds a closed live database of which days are
due; each of its parts must be as before a step or as after one.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
from each_kill import kill_each
from expired import restless
from warehouse_fixture import RULES, Warehouse

from pipeline.warehouse.database import connect_live
from pipeline.warehouse.retention.terms import Terms

MONTH = timedelta(days=30)
TERMS = Terms(duplicates=MONTH, rejected=MONTH, derived=MONTH, events=MONTH)
PARTITIONS = 2
WRITING = {"MERGE", "DELETE", "INSERT", "UPDATE", "COMMIT"}


class Mortal:
    """A connection that kills the process before its `number`th statement."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, number: int) -> None:
        self._connection = connection
        self._left = number

    def execute(self, text: str, *values: Any) -> duckdb.DuckDBPyConnection:
        """As the connection's own, one statement after the other."""
        result = self._connection
        for statement in self._connection.extract_statements(text):
            word = re.sub(r"--.*", "", statement.query).split(maxsplit=1)[0]
            self._left -= word in WRITING
            if word in WRITING and self._left == 0:
                os.write(1, word.encode())
                os.kill(os.getpid(), signal.SIGKILL)
            result = self._connection.execute(statement, *values)
        return result


def life(live: Path, number: int) -> None:
    """All that is due goes."""
    with connect_live(live, RULES) as connection:
        mortal: Any = Mortal(connection, number)
        retention = restless(mortal, TERMS, partitions=PARTITIONS)
        while retention.step():
            pass


def look(live: Path) -> None:
    """Every check holds, and what is left goes now."""
    warehouse = Warehouse(live, keep=True)
    assert warehouse.broken() == {}
    retention = restless(warehouse.connection, TERMS, partitions=PARTITIONS)
    while retention.step():
        pass
    assert warehouse.broken() == {}
    assert warehouse.rows(LEFT) == EXPECTED
    warehouse.connection.close()


LEFT = """
    SELECT (SELECT count(*) FROM duplicates), (SELECT count(*) FROM rejected_events),
        (SELECT CAST(sum(duplicates) AS BIGINT) FROM dropped_rows),
        (SELECT count(*) FROM sessions), (SELECT count(*) FROM order_lines),
        (SELECT count(*) FROM expired_orders),
        (SELECT count(*) FROM events), (SELECT CAST(sum(events) AS BIGINT) FROM dropped_rows)
"""
EXPECTED = [(2, 1, 2, 4, 2, 2, 4, 4)]


if __name__ == "__main__":
    kill_each(Path(sys.argv[1]), life, look, every=int(sys.argv[2]))
