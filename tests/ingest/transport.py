"""A transport without a socket, for what a connection does between two turns of the loop."""

from __future__ import annotations


class Wire:
    """What a transport is to a connection: what was sent, and whether it reads or has ended."""

    def __init__(self) -> None:
        self.sent = b""
        self.is_reading = True
        self.is_ended = False
        self.is_aborted = False
        self.unsent = 0
        """Bytes that the client does not take."""

    def write(self, data: bytes) -> None:
        if self.is_ended:
            raise AssertionError("an answer after the end")
        self.sent += data

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.is_ended

    def close(self) -> None:
        self.is_ended = True

    def abort(self) -> None:
        self.is_ended = self.is_aborted = True
