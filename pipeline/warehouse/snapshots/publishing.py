"""When the loader publishes: in the background, and for at most a tenth of the time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from pipeline.warehouse.snapshots.copy_record import Copy
from pipeline.warehouse.snapshots.publish import PublishError, SnapshotPublisher

log = logging.getLogger(__name__)

# A checkpoint and its copy take at most one part in so many of the time.
PARTS = 10


def pause(interval: timedelta, seconds: float) -> float:
    """Seconds from the start of a snapshot, which took `seconds`, to that of the next one."""
    return max(interval.total_seconds(), PARTS * seconds)


def described(copy: Copy, interval: timedelta) -> str:
    """The size and making of a snapshot, and how old it is when the next one replaces it."""
    made = "a reflink, made in" if copy.method == "reflink" else "copied in"
    age = pause(interval, copy.seconds) + copy.seconds
    return f"{copy.bytes / 1e9:.2f} GB, {made} {copy.seconds:.1f} s: up to {age:.0f} s old"


class Publishing:
    """Publishes commits between the transactions of a loader, which never waits for a copy.

    `observe` gets the seconds of each snapshot, None for one that failed.
    """

    def __init__(
        self,
        publisher: SnapshotPublisher,
        interval: timedelta,
        observe: Callable[[float | None], None] = lambda _: None,
    ) -> None:
        self._publisher = publisher
        self._interval = interval
        self._observe = observe
        self._has_changes = True  # a restart publishes what the last process could not
        self._started = self._due = time.monotonic()
        self._error = ""
        self._logged: Copy | None = None
        # Since when there are changes: that no copy began with, and that the running one has.
        self._waiting_since: float | None = self._due
        self._copying_since: float | None = None

    @property
    def problem(self) -> str:
        """Why the last snapshot failed; empty if it did not."""
        return self._error

    @property
    def unpublished_seconds(self) -> float:
        """Age of the oldest change that no snapshot has; 0 without any."""
        since = self._copying_since or self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def go_on(self, *, committed: bool = False) -> None:
        """Start or finish a copy, if it is time. `committed`: whether there is a new commit."""
        self._has_changes = self._has_changes or committed
        if committed and self._waiting_since is None:
            self._waiting_since = time.monotonic()
        if self._publisher.is_copying:
            if self._publisher.is_copied():
                self._finish()
        elif time.monotonic() >= self._due and (
            # A client that holds the old file locks out the others; a new file does not.
            self._has_changes or self._publisher.is_held()
        ):
            self._start()

    def stop(self) -> None:
        """Publish the last commit, and wait for it."""
        if self._has_changes:
            self._publisher.cancel()  # that of an older commit
        elif self._publisher.is_copying:
            self._finish()
        if self._has_changes:
            self._start()
        if self._publisher.is_copying:
            self._finish()

    def _start(self) -> None:
        self._has_changes, self._started = False, time.monotonic()
        self._copying_since = self._copying_since or self._waiting_since
        self._waiting_since = None
        try:
            self._publisher.start()
        except PublishError as error:
            self._fail(error)

    def _finish(self) -> None:
        try:
            copy = self._publisher.finish()
        except PublishError as error:
            self._fail(error)
        else:
            self._error, self._copying_since = "", None
            self._observe(copy.seconds)
            self._due = self._started + pause(self._interval, copy.seconds)
            self._log(copy)

    def _fail(self, error: PublishError) -> None:
        if str(error) != self._error:  # once, not each time
            log.error("%s", error)
        self._error, self._has_changes = str(error), True
        self._observe(None)
        self._due = self._started + pause(self._interval, time.monotonic() - self._started)

    def _log(self, copy: Copy) -> None:
        """Log the first copy, and one by another method or of another order of duration."""
        last = self._logged
        if last is not None and last.method == copy.method:
            before, now = pause(self._interval, last.seconds), pause(self._interval, copy.seconds)
            if before / 2 < now < before * 2:
                return
        self._logged = copy
        log.info("snapshot of %s", described(copy, self._interval))
