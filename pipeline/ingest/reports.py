"""What one ingest process asks of another: a line with a name, answered in msgpack."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.ingest.state import IngestState

# A process that takes longer hangs.
PATIENCE = 1.0

T = TypeVar("T")


class ReportServer:
    """Answers for `state` on a unix socket that only this user reaches."""

    def __init__(self, state: IngestState) -> None:
        self._answers = {
            b"alive\n": state.is_alive,
            b"readiness\n": state.readiness,
            b"measured\n": state.measured,
            b"entries\n": state.entries,
        }

    async def open(self, listening: socket.socket) -> None:
        """Begin."""
        self._server = await asyncio.start_unix_server(self._answer, sock=listening)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # One who has given up is no failure.
        with suppress(ConnectionError):
            answer = await self._answers[await reader.readline()]()
            writer.write(msgspec.msgpack.encode(answer))
            await writer.drain()
        writer.close()

    async def close(self, *, grace: timedelta) -> None:  # noqa: ARG002  # none waits
        """End, as `Server.close`."""
        self._server.close()


async def ask(path: Path, name: str, kind: type[T]) -> T | None:
    """The answer of the process at `path`; None where there is none in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(f"{name}\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    # A process that died while it answered has cut it short; or has said nothing.
    try:
        return msgspec.msgpack.decode(answer, type=kind)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return None
