"""How many connections the limit of open files allows."""

from __future__ import annotations

import resource

# Connections of probes and of Prometheus.
OPERATORS = 32
# Files for those, Kafka's connections, the spool and the stores' file.
OTHERS = 256


class TooFewFilesError(Exception):
    """The limit allows no connection at all; one line that says what to do."""


def connections(wanted: int) -> int:
    """`wanted`, or as many as the hard limit allows; sets the soft limit to the hard one.

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
