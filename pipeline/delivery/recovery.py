"""Recovery of abandoned spools: a living process takes over what a dead one has left."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.instance_lock import LockedError, SpoolError
from pipeline.delivery.pending import PendingRecord, awaitable_request
from pipeline.delivery.spool import Spool

log = logging.getLogger(__name__)


async def recover_abandoned(backlog: Backlog, before_move: Callable[[], None]) -> None:
    """Move the batches of abandoned spools into `backlog`; calls `before_move` before each.

    A batch is copied durably, then deleted. A death in between leaves two copies, and the second
    is dropped as a duplicate.
    """
    for instance in await backlog.run(backlog.spool.other_instances):
        abandoned = backlog.spool.sibling()
        try:
            await backlog.run(abandoned.open, instance=instance)
            await _move(abandoned, backlog, before_move)
        except LockedError:
            continue  # its process lives
        except SpoolError as error:
            # One failure must not stop the others; the next recovery tries this one again.
            log.error("spool %d is abandoned and cannot be moved: %s", instance, error)  # noqa: TRY400  # no bug of ours
        finally:
            # Also the lock: while this process holds it, no other can recover the spool.
            await backlog.run(abandoned.close, delete=True)


async def _move(abandoned: Spool, backlog: Backlog, before_move: Callable[[], None]) -> None:
    while (found := await backlog.run(abandoned.read, after=0)) is not None:
        seq, records = found
        before_move()
        request, done = awaitable_request(len(records))
        for record in records:
            backlog.add(PendingRecord(record, request))
        if await done is not None:
            return  # no room: the next recovery continues here
        await backlog.run(abandoned.write, [], seq=0, spooled_at=0, delete=[seq])
