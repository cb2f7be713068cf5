"""How many connections the system's limit of open files leaves room for."""

from __future__ import annotations

import resource

# Connections of probes, and of who reads metrics.
OPERATORS = 32
# Theirs, Kafka's connections, the spool, the file of the stores: what cannot be opened then is not
# served.
OTHERS = 256


class TooFewFilesError(Exception):
    """Not one connection has room; one line that says what to do."""


def connections(wanted: int) -> int:
    """`wanted`, or as many as there is room for. Raises the process's own limit to what it may be.

    Raises `TooFewFilesError`.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most == resource.RLIM_INFINITY or most >= wanted + OTHERS:
        return wanted
    if most <= OTHERS:
        raise TooFewFilesError(
            f"this process may open {most} files, and needs more than {OTHERS}: see `ulimit -Hn`"
        )
    return most - OTHERS
