"""Hosts and ports: parsed, formatted, listened on. An IPv6 address before a port has brackets."""

from __future__ import annotations

import ipaddress
import os
import socket


class ListenError(Exception):
    """No socket can listen there. The message is one line that says what to do."""


def bare(host: str) -> str:
    """`host` without the brackets that an IPv6 address may have."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def written(host: str, port: int) -> str:
    """`host:port` as in a URL."""
    host = bare(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening(host: str, port: int, *, setting: str, backlog: int | None = None) -> socket.socket:
    """A socket that listens there; port 0 is any free one.

    Raises `ListenError`, which names `setting` as the one to change.
    """
    host = bare(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=backlog)
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
