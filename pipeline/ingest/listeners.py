"""The sockets of ingest: a port, a unix socket, or one that systemd passes."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from pipeline.config import Settings
from pipeline.http.server import BACKLOG
from pipeline.sockets import UNIX, ListenError, address, listening, listening_for, unix_listening

# systemd's first: behind stdin, stdout and stderr.
FIRST_INHERITED = 3


class Listeners(NamedTuple):
    """For strangers (`/beacon`) and for operators."""

    beacons: socket.socket
    admin: socket.socket

    def applied(self, settings: Settings) -> Settings:
        """`settings` with the addresses that these have."""
        (host, port), (admin_host, admin_port) = map(address, self)
        return settings.model_copy(
            update={
                "ingest_host": host,
                "ingest_port": port,
                "admin_host": admin_host,
                "admin_port": admin_port,
            }
        )


def open_listeners(settings: Settings, opened: ExitStack) -> Listeners:
    """Those of systemd, else those of the settings; `opened` closes them. Raises `ListenError`.

    For several processes the socket of beacons is only bound: it reserves the port for theirs.
    """
    found = [opened.enter_context(each) for each in _inherited()]
    if not found:
        host, port = settings.ingest_host, settings.ingest_port
        made = opened.enter_context(_listening(settings, host, port, "INGEST"))
        if settings.ingest_workers > 1 and made.family != socket.AF_UNIX:
            # Without SO_REUSEPORT it has shown that nothing else listens there.
            place = address(made)
            made.close()
            made = opened.enter_context(listening(*place, shares_port=True))
        found.append(made)
    if len(found) == 1:
        host, port = settings.admin_host, settings.admin_port
        found.append(opened.enter_context(_listening(settings, host, port, "ADMIN")))
    return Listeners(*found)


def _listening(settings: Settings, host: str, port: int, name: str) -> socket.socket:
    if not host.startswith(UNIX):
        return listening_for(f"PIPELINE_{name}_PORT", host, port)
    path = Path(host.removeprefix(UNIX))
    try:
        return unix_listening(path, mode=int(settings.socket_mode, 8), backlog=BACKLOG)
    except OSError as error:
        why = error.strerror or error
        raise ListenError(
            f"cannot listen on {host} ({why}): set PIPELINE_{name}_HOST to another path"
        ) from None


def _inherited() -> list[socket.socket]:
    """The sockets that systemd has passed to this process (sd_listen_fds); usually none."""
    given = {name: os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS")}
    os.environ.pop("LISTEN_FDNAMES", None)
    if given["LISTEN_PID"] != str(os.getpid()):
        return []
    count = int(given["LISTEN_FDS"])
    if count not in (1, 2):
        raise ListenError(
            f"systemd passes {count} sockets: ingest takes one for beacons, and optionally a"
            " second one for operators"
        )
    found = [socket.socket(fileno=FIRST_INHERITED + number) for number in range(count)]
    for each in found:
        each.set_inheritable(False)
        if each.type != socket.SOCK_STREAM or not each.getsockopt(
            socket.SOL_SOCKET, socket.SO_ACCEPTCONN
        ):
            raise ListenError(
                f"socket {each.fileno()} of systemd does not listen: it needs ListenStream="
                " and Accept=no"
            )
    return found
