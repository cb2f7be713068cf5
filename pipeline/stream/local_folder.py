"""Where a worker's local states are, and which of them it may trust (architecture, Local state)."""

from __future__ import annotations

import fcntl
import logging
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

import lmdb

from pipeline.config import Settings
from pipeline.domain.rules import Rules
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.stream.local_state import LocalState, Meta
from pipeline.stream.rows import FORMAT
from pipeline.stream.state_file import FILE
from pipeline.topics import TOMBSTONES_KEPT

log = logging.getLogger(__name__)

_NAME = re.compile(r"(\d+)-\d+")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# Kafka may drop a tombstone then: a state that missed it would stay.
MOST_BEHIND = TOMBSTONES_KEPT / 2
# So that what a worker wrote that was paused, and no longer the owner, is gone some day.
MOST_AGE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """The folder of local states of a home.

    `identity` is what has to be the same for a state of a partition to be of use: the changelog's
    topic id, the digest of the rules, the number of partitions. `ends` says how far each partition
    of the changelog is known to reach; `ask`, which may raise `KafkaUnusableError`, how far it
    reaches now.
    """

    path: Path
    identity: str
    rules: Rules
    ends: dict[int, int]
    ask: Callable[[], dict[int, int]] = dict

    @classmethod
    def of(
        cls, settings: Settings, changelog_id: str, ask: Callable[[], dict[int, int]]
    ) -> LocalFolder:
        """That of a worker; `changelog_id` is the one Kafka gave the changelog."""
        identity = f"{changelog_id} {settings.rules.digest()} {settings.partitions}"
        return cls(settings.home / "state", identity, settings.rules, ask(), ask)

    def reached(self, partition: int, offset: int) -> None:
        """Remember that the changelog of `partition` has all before `offset`."""
        self.ends[partition] = max(self.ends.get(partition, 0), offset)

    def open(self, partition: int) -> LocalState:
        """The state of `partition`, to be read on from its offset, or a new one.

        Another process may hold a folder, also one that is no longer the owner and does not know
        it: then there is a second one. Raises OSError and `lmdb.Error`.
        """
        slot = 0
        while (lock := _lock(self.path / f"{partition}-{slot}")) is None:
            slot += 1
        folder = self.path / f"{partition}-{slot}"
        state = self._usable(folder, partition, lock)
        if state is None:
            return LocalState.open(folder, self.rules, self._new(partition), lock)
        state.begin(boot())
        log.info(
            "partition %d: %d states are here; its changelog is read from offset %d",
            *(partition, len(state), state.meta.offset),
        )
        return state

    def delete_unusable(self, *, erased: bool = False) -> None:
        """Delete states that nobody holds and none may read on from: they hold what is past.

        With `erased` also those whose files nobody goes on to write again (E1). Raises OSError.
        """
        for file in self.path.glob(f"*-*/{FILE}"):
            named = _NAME.fullmatch(file.parent.name)
            if named is None:
                continue  # not of ours
            partition = int(named[1])
            lock = _lock(file.parent)
            if lock is None:
                continue
            state = self._usable(file.parent, partition, lock)
            if state is None:
                lock.close()
                continue
            if erased and state.meta.has_erased:
                state.delete()
                log.info("partition %d: a local state is deleted: nobody uses it", partition)
            state.abandon()

    def _usable(self, folder: Path, partition: int, lock: IO[bytes]) -> LocalState | None:
        """The state in `folder` if it may be read on from; else it is deleted, `lock` kept."""
        try:
            state = LocalState.open(folder, self.rules, self._new(partition), lock)
        except lmdb.Error as error:
            _delete(folder / FILE)
            log.warning(
                "partition %d: the local state %s is damaged (%s): it is deleted, and read again"
                " from the changelog",
                *(partition, folder / FILE, error),
            )
            return None
        if state.meta.offset > self.ends.get(partition, 0):
            # Another worker has written since this one knew the end. Without Kafka's word the
            # changelog is read from its beginning.
            with suppress(KafkaUnusableError):
                for number, end in self.ask().items():
                    self.reached(number, end)
        reason = untrusted(state.meta, self._new(partition), end=self.ends.get(partition, 0))
        if reason is None:
            return state
        state.delete()
        log.info("partition %d: a local state is deleted: %s", partition, reason)
        return None

    def _new(self, partition: int) -> Meta:
        now = time.time()
        # With the partition: a folder that was renamed holds devices of another one.
        identity = f"{FORMAT} {self.identity} {partition}"
        return Meta(identity=identity, begun_at=now, moved_at=now, boot=boot())


def untrusted(held: Meta, now: Meta, *, end: int) -> str | None:
    """Why a state with `held` cannot be read on from its offset; None if it can.

    `now` is what a new one would have, `end` the end of the changelog.
    """
    if held.identity != now.identity:
        return "it is of another topic or partition, other rules or another number of partitions"
    if held.offset > end:
        return f"it is at offset {held.offset} of a changelog that ends at {end}"
    if held.boot not in (None, now.boot):
        return "it was not synced before the machine was started"
    if held.offset < end and now.moved_at - held.moved_at > MOST_BEHIND.total_seconds():
        return f"it is more than {MOST_BEHIND} behind"
    if now.begun_at - held.begun_at > MOST_AGE.total_seconds():
        return f"it is older than {MOST_AGE}"
    return None


def boot() -> str:
    """What names this start of the machine."""
    return _BOOT.read_text().strip()


def _lock(folder: Path) -> IO[bytes] | None:
    """A file by which this process alone has `folder`; None if another has it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (folder / "owner").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _delete(path: Path) -> None:
    """Delete what is there, which may be no file: all of a state folder is ours."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
