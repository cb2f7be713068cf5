"""What a worker does to its local states between batches: some milliseconds at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted

from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.local_state import LocalState

# Writing files again takes one part in so many of the time, and at most so many seconds at once.
_PARTS, _LONGEST = 5, 0.02
# Seconds between two goes, which are more where the loop is busy; and between two looks.
_PAUSE, _LOOK = 0.02, 1.0


async def rewrite_regularly(stores: Callable[[], Iterable[LocalState]]) -> None:
    """Write files of `stores` again after an erasure; it never returns.

    Records are answered between the goes. Raises OSError and `lmdb.Error`.
    """
    ended = time.monotonic()
    while True:
        # One after the other, so that as few files as can be need their room twice.
        store = next((each for each in stores() if each.is_rewriting), None)
        if store is not None:
            begun = time.monotonic()
            until = begun + min(_LONGEST, (begun - ended) / (_PARTS - 1))
            store.rewrite_some()
            while store.is_rewriting and time.monotonic() < until:
                store.rewrite_some()
        ended = time.monotonic()
        await asyncio.sleep(_LOOK if store is None else _PAUSE)


async def delete_regularly(
    local: LocalFolder,
    ends: Callable[[], Awaitable[dict[int, int]]],
    every: timedelta = timedelta(hours=1),
) -> None:
    """Delete what nobody may read on from, of partitions that are elsewhere; it never returns.

    `ends` are the ends of the changelog's partitions. Raises OSError and `lmdb.Error`.
    """
    while True:
        await asyncio.sleep(every.total_seconds())
        try:
            found = await ends()
        except (KafkaError, ConsumerNotStarted):
            continue  # Kafka is away, or no partition is assigned: the next look comes
        for number, end in found.items():
            local.reached(number, end)
        local.delete_unusable(erased=True)
