"""Whether Kafka is fit for what the spool holds, and what is wrong where it is not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from pipeline.kafka.errors import KafkaUnusableError

PAUSE = timedelta(milliseconds=500).total_seconds()
# A circuit that was open from the start closes sooner than this.
SOON = timedelta(seconds=5).total_seconds()
# Between two looks at what is wrong while the circuit is open.
QUIET = timedelta(minutes=1).total_seconds()

log = logging.getLogger(__name__)


class Fitness:
    """Asks `check`, which blocks and raises `KafkaUnusableError`, and tells the log why it does."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._look: asyncio.Task[bool] | None = None
        self._look_at = 0.0
        self.why = ""
        """What was wrong the last time; empty where nothing was."""

    async def wait(self) -> None:
        """Until Kafka is fit: nothing may leave the spool before."""
        while True:
            if await self._asked():
                break
            await asyncio.sleep(PAUSE)
        self._look_at = time.monotonic() + SOON

    def look(self) -> None:
        """Kafka does not acknowledge: look why, beside all else, at most once a minute."""
        now = time.monotonic()
        if now >= self._look_at and (self._look is None or self._look.done()):
            self._look_at = now + QUIET
            self._look = asyncio.get_running_loop().create_task(self._asked())

    async def _asked(self) -> bool:
        try:
            await asyncio.to_thread(self._check)
        except KafkaUnusableError as error:
            # The whole line as the message: the log counts those of one message as one.
            self.why = str(error)
            line = f"{error}; until then events stay in the spool"
            log.error(line)  # noqa: TRY400  # one line
            return False
        self.why = ""
        return True
