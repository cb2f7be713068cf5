"""How much memory this machine, or this container, has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def quarter_of_memory(cgroups: Path = _CGROUPS) -> int:
    """Bytes: a quarter of the machine's memory, or of the container's.

    Kafka, the workers, ingest and readers share one.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits(cgroups)]) // 4


def _limits(cgroups: Path) -> Iterator[int]:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # versions 2 and 1
        file = cgroups / name
        if file.exists() and (limit := file.read_text().strip()) != "max":
            yield int(limit)
