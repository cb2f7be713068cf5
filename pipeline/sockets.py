"""Addresses: a host and a port, where an IPv6 host has brackets, or `unix:` and a path."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

UNIX = "unix:"


class ListenError(Exception):
    """No socket can listen there. The message is one line that says what to do."""


def bare(host: str) -> str:
    """`host` without the brackets that an IPv6 address may have."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def written(host: str, port: int) -> str:
    """`host:port` as in a URL; of a unix socket as nginx has it, with a colon behind the path."""
    if host.startswith(UNIX):
        return f"{host}:"
    host = bare(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address(listener: socket.socket) -> tuple[str, int]:
    """The host and the port of a socket that is bound; `unix:` and its path, and 0."""
    if listener.family == socket.AF_UNIX:
        return f"{UNIX}{listener.getsockname()}", 0
    host, port = listener.getsockname()[:2]
    return host, port


def listening(
    host: str, port: int, *, backlog: int | None = None, shares_port: bool = False
) -> socket.socket:
    """A socket that listens there, port 0 being any free one. Raises OSError.

    `shares_port`: with SO_REUSEPORT, and only bound: what listens there next to others does so
    itself.
    """
    host = bare(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not shares_port:
        return socket.create_server((host, port), family=family, backlog=backlog)
    made = socket.socket(family)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
    except BaseException:
        made.close()
        raise
    return made


def listening_for(setting: str, host: str, port: int) -> socket.socket:
    """The same. Raises `ListenError`, which names `setting` as the one to change."""
    try:
        return listening(host, port)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {written(host, port)} ({_reason(error)}): stop what listens there,"
            f" or set {setting} to another port (0 takes a free one)"
        ) from None


def _reason(error: OSError) -> str:
    # `strerror` of an error of `create_server` repeats the address.
    if error.errno is None or isinstance(error, socket.gaierror):
        return str(error.strerror or error)
    return os.strerror(error.errno)


def unix_listening(path: Path, *, mode: int, backlog: int) -> socket.socket:
    """A unix socket that listens at `path`, with the permissions `mode`. Raises OSError.

    The file of a process that is gone is replaced; that of one that still listens is in use.
    """
    made = socket.socket(socket.AF_UNIX)
    folder = -1
    try:
        folder = os.open(path.parent, os.O_RDONLY)
        # Between bind and listen another process would take the file for a stale one.
        fcntl.flock(folder, fcntl.LOCK_EX)
        _remove_stale(path)
        made.bind(str(path))
        path.chmod(mode)
        made.listen(backlog)
    except BaseException:
        made.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)
    return made


def _remove_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        with suppress(BlockingIOError, FileNotFoundError):
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                if stat.S_ISSOCK(path.lstat().st_mode):
                    path.unlink()


def names_this_machine(host: str) -> bool:
    """Whether a Host header means this machine and no other."""
    name = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("]") else host.strip("[]")
    return is_loopback(name)


def is_loopback(host: str) -> bool:
    """Whether `host` means this machine and no other."""
    try:
        return host == "localhost" or ipaddress.ip_address(bare(host)).is_loopback
    except ValueError:
        return False
