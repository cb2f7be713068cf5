"""The addresses of our servers, and their URLs for programs on this machine."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.supervisor import StartError
from pipeline.sockets import UNIX, bare, listening_for, written

# Hosts that mean every address of this machine.
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # only looked up


@dataclass(frozen=True)
class Address:
    """A host and a port to listen on, and the setting that changes the port."""

    host: str
    port: int
    setting: str

    def held(self) -> socket.socket:
        """A listening socket, so that no other process takes the port before its owner does.

        Port 0 becomes a free one. Raises `ListenError`.
        """
        if self.host.startswith(UNIX):
            host = self.setting.replace("_PORT", "_HOST")
            raise StartError(f"{host}={self.host} is for `pipeline ingest`: `up` needs a host")
        return listening_for(self.setting, self.host, self.port or free_port())

    def url(self, path: str) -> str:
        """The URL for a program on this machine."""
        host = bare(self.host)
        return f"http://{written(_ANY.get(host, host), self.port)}/{path}"


def ingest_address(settings: Settings) -> Address:
    """Where ingest receives beacons."""
    return Address(settings.ingest_host, settings.ingest_port, "PIPELINE_INGEST_PORT")


def admin_address(settings: Settings) -> Address:
    """Where ingest serves probes, metrics and `/explain`."""
    return Address(settings.admin_host, settings.admin_port, "PIPELINE_ADMIN_PORT")


def dashboard_address(settings: Settings) -> Address:
    """Where the dashboard listens."""
    return Address(settings.dashboard_host, settings.dashboard_port, "PIPELINE_DASHBOARD_PORT")
