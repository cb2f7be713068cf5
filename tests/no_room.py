"""A disk on which no file may grow, without root: writes fail as they do on a full one."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

SAID = "File too large"


@contextmanager
def no_room(size: int = 0) -> Iterator[None]:
    """Files of this process and its children may have at most `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
