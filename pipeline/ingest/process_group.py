"""Several ingest processes on one address: started, restarted, asked and stopped together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic

from pipeline.config import Settings
from pipeline.ingest.group_state import GroupState, Member
from pipeline.ingest.reports import ask
from pipeline.process.parent_death import end_with
from pipeline.process.restarts import deaths_in_a_row, ending, pause_after
from pipeline.sockets import address, listening

log = logging.getLogger(__name__)

# Beyond the drain delay; a process needs ten.
STOP_SECONDS = 12.0
LOOK_AGAIN = timedelta(milliseconds=50).total_seconds()


class ProcessGroup:
    """`run` keeps the processes running until `stop`; `state` is theirs as one.

    `beacons` listens and is shared by all, or is only bound: then each process listens on a socket
    of its own next to it (SO_REUSEPORT), and the kernel deals new connections out among those that
    live. `folder` is for sockets that only this user may reach.
    """

    def __init__(
        self, settings: Settings, beacons: socket.socket, folder: Path, *, explain: bool
    ) -> None:
        self._settings = settings
        self._beacons = beacons
        self._explain = explain
        self._members = [Member(folder / str(n)) for n in range(settings.ingest_workers)]
        self.state = GroupState(self._members)
        # Of the first process: it finds what keeps all of them from starting.
        self._is_open = asyncio.Event()
        self._stopping = asyncio.Event()

    async def run(self, opened: Callable[[], None]) -> int:
        """Until `stop`; the exit code. `opened` is called once requests are taken.

        Where the first process cannot start it has said why, and its exit code is returned.
        """
        first = asyncio.ensure_future(self._keep(self._members[0]))
        is_open = asyncio.ensure_future(self._is_open.wait())
        await asyncio.wait([first, is_open], return_when=asyncio.FIRST_COMPLETED)
        if not is_open.done():
            is_open.cancel()
            return 0 if self._stopping.is_set() else await first
        opened()
        codes = await asyncio.gather(first, *map(self._keep, self._members[1:]))
        return 0 if set(codes) <= {0, -signal.SIGTERM} else 1

    def stop(self) -> None:
        """End all; what does not end in time is killed."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self.state.is_stopping = True
        self._signal(signal.SIGTERM)
        loop, delay = asyncio.get_running_loop(), self._settings.drain_delay.total_seconds()
        # A client must not wait at a socket that no process accepts from.
        loop.call_later(delay, self._beacons.close)
        loop.call_later(delay + STOP_SECONDS, self._signal, signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for member in self._members:
            if member.process is not None:
                with suppress(ProcessLookupError):
                    member.process.send_signal(number)

    async def _keep(self, member: Member) -> int:
        """Start it, and again when it has died; its last exit code."""
        deaths, code = 0, 0
        while not self._stopping.is_set():
            began = monotonic()
            try:
                code = await self._run_once(member)
                what = f"an ingest process {ending(code)}"
            except OSError as error:  # no memory or process left: for now
                code, what = 1, f"an ingest process cannot be started: {error.strerror}"
            if self._stopping.is_set() or not self._is_open.is_set():
                return code
            deaths = deaths_in_a_row(deaths, ran=monotonic() - began)
            pause = pause_after(deaths)
            log.warning("%s; starting it again in %g s", what, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
        return code

    async def _run_once(self, member: Member) -> int:
        process = member.process = await self._started(member.reports)
        if self._stopping.is_set():
            process.terminate()
        opening = asyncio.ensure_future(self._open(member))
        try:
            return await process.wait()
        finally:
            opening.cancel()
            member.process, member.is_open = None, False
            self.state.ended(member)

    async def _open(self, member: Member) -> None:
        while not await ask(member.reports, "alive", bool):  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(LOOK_AGAIN)
        member.is_open = True
        self._is_open.set()

    async def _started(self, path: Path) -> Process:
        with _bound(path) as reports, self._own_beacons() as beacons:
            fds = (beacons.fileno(), reports.fileno())
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pipeline", "ingest"),
                *("--inherited", *map(str, fds)),
                *(["--explain"] if self._explain else []),
                env={**os.environ, **self._settings.environment()},
                stdin=DEVNULL,
                pass_fds=fds,
                # A Ctrl-C is for us to pass on.
                start_new_session=True,
                preexec_fn=partial(end_with, os.getpid()),
            )

    def _own_beacons(self) -> socket.socket:
        if self._beacons.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return self._beacons.dup()
        return listening(*address(self._beacons), shares_port=True)


def _bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made
