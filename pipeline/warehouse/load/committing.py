"""Commits one batch while the next one is gathered."""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor

from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.transaction import Transactions

# Seconds. DuckDB runs without the interpreter's lock, but takes it some 1,400 times in a
# transaction: its client looks for signals after each task of a plan. Each time it waits for as
# long as gathering may keep the lock: by default 5 ms, longer than most statements take.
SWITCH_INTERVAL = 0.00002


class Committing:
    """Runs transactions in a thread of its own, one at a time and in order.

    The connection is this thread's between `start` and the end of that commit: `is_running`.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._thread = ThreadPoolExecutor(1, "commit")
        self._running: Future[LoadBatch] | None = None
        self.seconds = 0.0
        """What the last commit took."""
        sys.setswitchinterval(SWITCH_INTERVAL)

    @property
    def is_running(self) -> bool:
        """Whether `finish` would have to wait."""
        return self._running is not None and not self._running.done()

    def start(self, batch: LoadBatch) -> None:
        """Begin to commit `batch`, after `finish` has returned the one before."""
        if self._running is not None:
            raise RuntimeError("the commit before was not finished")
        self._running = self._thread.submit(self._commit, batch)

    def _commit(self, batch: LoadBatch) -> LoadBatch:
        began = time.monotonic()
        try:
            return self._transactions.commit(batch)
        finally:
            self.seconds = time.monotonic() - began

    def finish(self) -> LoadBatch | None:
        """Wait for the commit. Returns its batch, None without one; raises what it raised."""
        if self._running is None:
            return None
        running, self._running = self._running, None
        return running.result()

    def close(self) -> None:
        """Wait for a commit that is running."""
        self._thread.shutdown()
