"""A client in a process of its own that answers one question after the other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connecting.page import snippet

ANSWER = Path(__file__).with_name("answer.py")


class Conversation:
    """Runs `command` in `folder` until it has said that it is ready."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        while not (line := self._line()).startswith("ready"):
            self.said.append(line)
        self.version = line.removeprefix("ready").strip()

    def ask(self, question: str) -> list[list[Any]]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        rows: list[list[Any]] = json.loads(self._line())
        return rows

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"it ended with {self._process.wait()}; its errors are above"
        return line

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait() == 0
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def talking(command: Sequence[str], folder: Path) -> Iterator[Conversation]:
    """A conversation, which ends by itself or is killed."""
    made = Conversation(command, folder)
    try:
        yield made
        made.close()
    finally:
        made._process.kill()  # noqa: SLF001
        made._process.wait()  # noqa: SLF001


def python(
    section: str, folder: Path, *packages: Path, interpreter: str = sys.executable
) -> list[str]:
    """The command that runs a section's snippet; with `packages` by nothing but them."""
    path = folder / f"{section.lower()}.py"
    path.write_text(snippet(section))
    alone = ["-I", "-S"] if packages else []
    return [interpreter, *alone, str(ANSWER), str(path), *map(str, packages)]
