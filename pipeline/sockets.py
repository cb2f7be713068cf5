"""A host and a port, written and listened on: an IPv6 address has brackets where a port follows."""

from __future__ import annotations

import ipaddress
import socket


def bare(host: str) -> str:
    """`host` without the brackets that an IPv6 address may have."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def written(host: str, port: int) -> str:
    """As a URL has it."""
    host = bare(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening(host: str, port: int, *, backlog: int | None = None) -> socket.socket:
    """A socket that listens there, port 0 being any free one. Raises OSError."""
    host = bare(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog)


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
