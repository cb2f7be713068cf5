"""What ingest listens on: a port, a unix socket, or a socket that systemd hands over."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from pipeline.config import Settings
from pipeline.http.server import BACKLOG
from pipeline.sockets import UNIX, ListenError, address, listening, unix_listening, written

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

    Where several processes will listen on the port of beacons its socket is only bound, and keeps
    the port for them.
    """
    found = [opened.enter_context(each) for each in _inherited()]
    if not found:
        host, port = settings.ingest_host, settings.ingest_port
        made = opened.enter_context(_listening(settings, host, port, "INGEST"))
        if settings.ingest_workers > 1 and made.family != socket.AF_UNIX:
            # It has shown that nothing else listens there, which SO_REUSEPORT would hide.
            place = address(made)
            made.close()
            made = opened.enter_context(listening(*place, shares_port=True))
        found.append(made)
    if len(found) == 1:
        host, port = settings.admin_host, settings.admin_port
        found.append(opened.enter_context(_listening(settings, host, port, "ADMIN")))
    return Listeners(*found)


def _listening(settings: Settings, host: str, port: int, name: str) -> socket.socket:
    is_unix = host.startswith(UNIX)
    try:
        if is_unix:
            path = Path(host.removeprefix(UNIX))
            return unix_listening(path, mode=int(settings.socket_mode, 8), backlog=BACKLOG)
        return listening(host, port, backlog=BACKLOG)
    except OSError as error:
        place, setting = (host, "HOST") if is_unix else (written(host, port), "PORT")
        why = error.strerror or error
        raise ListenError(
            f"cannot listen on {place}: {why}; set PIPELINE_{name}_{setting}"
        ) from None


def _inherited() -> list[socket.socket]:
    """The sockets that systemd has opened for this process (sd_listen_fds); mostly none."""
    given = {name: os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS")}
    os.environ.pop("LISTEN_FDNAMES", None)
    if given["LISTEN_PID"] != str(os.getpid()):
        return []
    count = int(given["LISTEN_FDS"])
    if count not in (1, 2):
        raise ListenError(
            f"systemd hands over {count} sockets: the first is for beacons,"
            " a second one for operators, and there is no third"
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
