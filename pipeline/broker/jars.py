"""Kafka's jars: pinned and checksummed in `kafka.lock`, fetched once into a cache."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests
from jgo.constants import MAVEN_CENTRAL_URL

LOCK = Path(__file__).parent / "kafka.lock"
PAUSES = (1.0, 3.0, 9.0)
_CHUNK = 1 << 16


class BrokerError(Exception):
    """The embedded broker cannot be had; one line that says what to do."""


@dataclass(frozen=True)
class Jar:
    """A jar of the lock; `path` as in a Maven repository."""

    path: str
    size: int
    sha256: str


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars that `lock` names."""
    jars = []
    for line in lock.read_text().splitlines():
        if line and not line.startswith("#"):
            sha256, size, path = line.split()
            jars.append(Jar(path, int(size), sha256))
    return jars


def fetch(
    cache: Path,
    *,
    jars: list[Jar] | None = None,
    repository: str = MAVEN_CENTRAL_URL,
    pauses: tuple[float, ...] = PAUSES,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Path]:
    """The jars in `cache`, after fetching what is missing or damaged.

    `progress` hears bytes done and in all, only when something is fetched. Raises `BrokerError`
    when the network fails for longer than `pauses` (seconds), or a checksum differs.
    """
    wanted = locked() if jars is None else jars
    folder = cache / "kafka"
    places = {jar.path: folder / jar.path.rsplit("/", 1)[1] for jar in wanted}
    missing = [jar for jar in wanted if not _is_whole(places[jar.path], jar)]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        total, done = sum(jar.size for jar in missing), 0

        def heard(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        get = partial(_get, folder=folder, repository=repository, pauses=pauses, heard=heard)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(get, missing))
    return list(places.values())


def _is_whole(path: Path, jar: Jar) -> bool:
    # The name is no proof: a disk may have filled, or a hand may have slipped.
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256
    except OSError:
        return False


def _get(
    jar: Jar,
    *,
    folder: Path,
    repository: str,
    pauses: tuple[float, ...],
    heard: Callable[[int], None],
) -> None:
    for pause in (*pauses, None):
        try:
            data = _download(f"{repository}/{jar.path}", heard)
            break
        except requests.RequestException as error:
            if pause is None:
                raise BrokerError(
                    f"Kafka's jars could not be fetched ({type(error).__name__} on {jar.path}):"
                    " check the network or the proxy and start again; what has come is kept"
                ) from None
            time.sleep(pause)
    if hashlib.sha256(data).hexdigest() != jar.sha256:
        raise BrokerError(
            f"{jar.path} is not the jar that kafka.lock names (its checksum differs): do not use"
            " this network's copy"
        )
    # Under a name of its own, then renamed: two starts at once may fetch the same jar.
    name = jar.path.rsplit("/", 1)[1]
    fresh = folder / f".{name}.{os.getpid()}"
    fresh.write_bytes(data)
    fresh.replace(folder / name)


def _download(url: str, heard: Callable[[int], None]) -> bytes:
    with requests.get(url, stream=True, timeout=30) as response:
        response.raise_for_status()
        parts = []
        for part in response.iter_content(_CHUNK):
            parts.append(part)
            heard(len(part))
    return b"".join(parts)
