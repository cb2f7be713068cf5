"""Rare garbage collection, for processes whose many objects are in flight, not garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def little_garbage() -> Iterator[None]:
    """Collect garbage rarely.

    What exists now stays, and the objects of a thousand requests, of a transaction, or of the
    devices in memory are no garbage: to look at them every 700 objects costs ingest a sixth of its
    CPU time, the worker a fourteenth, and doubles what decoding outcomes costs.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        # Extension modules report what is still alive when the process ends.
        gc.unfreeze()
        gc.set_threshold(*before)
