"""Spools of processes that are gone are taken over by those that live."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.instance_lock import OwnedError, SpoolError
from pipeline.delivery.pending import PendingRecord, awaited
from pipeline.delivery.spool import Spool

log = logging.getLogger(__name__)


async def adopt(backlog: Backlog, opened: Callable[[], None]) -> None:
    """Move what dead processes have left into `backlog`; `opened` is called before the first move.

    Copied and durable, then deleted: a death in between has records in two spools, and the second
    copy is dropped as a duplicate.
    """
    for slot in await backlog.run(backlog.spool.orphans):
        orphan = backlog.spool.sibling()
        try:
            await backlog.run(orphan.open, slot=slot)
            await _move(orphan, backlog, opened)
        except OwnedError:
            continue
        except SpoolError as error:
            # Trouble with one must not keep the others; a later look tries it again.
            log.error("what slot %d of the spool holds cannot be moved: %s", slot, error)  # noqa: TRY400  # no bug of ours
        finally:
            # The lock, too: while this process holds it no other can help.
            await backlog.run(orphan.close, delete=True)


async def _move(orphan: Spool, backlog: Backlog, opened: Callable[[], None]) -> None:
    while (found := await backlog.run(orphan.read, after=0)) is not None:
        seq, records = found
        opened()
        waiting, done = awaited(len(records))
        for record in records:
            backlog.add(PendingRecord(record, waiting))
        if await done is not None:
            return  # no room: a later look goes on with it
        await backlog.run(orphan.write, [], seq=0, spooled_at=0, gone=[seq])
