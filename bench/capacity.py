"""Events a second of one checkout's loader, for `bench/load.py --against`.

    python bench/capacity.py CHECKOUT TRAFFIC RECORDS TRANSACTIONS FOLDER

Prints JSON: events, seconds, CPU seconds, and the seconds between commits. Kafka is left out:
outcomes are in memory, as the bytes that it holds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from importlib import import_module
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

CHECKOUT = Path(sys.argv[1])
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests")]

import msgspec  # noqa: E402  # everything below is the checkout's

from pipeline.domain.outcomes import Outcome  # noqa: E402
from pipeline.domain.rules import Rules  # noqa: E402
from pipeline.replay.memory_worker import MemoryWorker  # noqa: E402
from pipeline.warehouse.database import connect_live  # noqa: E402


def module(*names: str) -> Any:
    """The first of `names` that the checkout has: they moved."""
    for name in names:
        try:
            return import_module(f"pipeline.{name}")
        except ModuleNotFoundError:
            continue
    return None


LoadBatch = module("warehouse.load.batch", "warehouse.batch").LoadBatch
Transactions = module("warehouse.load.transaction", "warehouse.transaction").Transactions
committing = module("warehouse.load.committing")
garbage = module("little_garbage")
decode = msgspec.json.Decoder(Outcome).decode


def outcomes(traffic: Path, rules: Rules) -> Iterator[bytes]:
    """As they are on Kafka."""
    beacons = import_module("beacons")
    worker, appended_at = MemoryWorker(rules), round(beacons.END.timestamp() * 1000)
    for one in beacons.accepted(traffic):
        for key, value in one.records:
            yield msgspec.json.encode(worker.process(key, value, appended_at=appended_at))


def gathered(values: list[bytes], rules: Rules) -> Any:
    """A batch of these outcomes."""
    batch = LoadBatch(rules)
    for value in values:
        batch.add(decode(value))
    return batch


def loader(connection: Any) -> tuple[Callable[[Any], None], Callable[[], object]]:
    """How this checkout's loader commits a batch, and how it ends."""
    transactions = Transactions(connection)
    if committing is None:
        return transactions.commit, lambda: None
    running = committing.Committing(transactions)

    def commit(batch: Any) -> None:
        batch.tables()
        running.finish()
        running.start(batch)

    return commit, running.finish


def main() -> None:
    """Load all before the measured transactions, then those."""
    traffic, records, transactions, folder = sys.argv[2:]
    rules, size, count = Rules(lateness=timedelta(hours=72)), int(records), int(transactions)
    values = list(outcomes(Path(traffic), rules))
    first = len(values) - size * count
    ends = []
    with connect_live(Path(folder) / "live.duckdb", rules) as connection:
        commit, end = loader(connection)
        rest = iter(values[:first])
        while chunk := list(islice(rest, 20_000)):
            commit(gathered(chunk, rules))
        end()
        connection.execute("CHECKPOINT")
        (held,) = connection.execute("SELECT count(*) FROM events").fetchall()[0]
        with garbage.little_garbage() if garbage else nullcontext():
            begun, used = time.perf_counter(), time.process_time()
            ends.append(begun)
            for start in range(first, len(values), size):
                commit(gathered(values[start : start + size], rules))
                ends.append(time.perf_counter())
            end()
            seconds, cpu = time.perf_counter() - begun, time.process_time() - used
        (now,) = connection.execute("SELECT count(*) FROM events").fetchall()[0]
    each = [after - before for before, after in pairwise(ends)]
    answer = {"events": now - held, "seconds": seconds, "cpu": cpu, "each": each}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
