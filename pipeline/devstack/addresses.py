"""Where our servers listen, and how a program on this machine reaches them."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.supervisor import StartError
from pipeline.sockets import UNIX, bare, listening, written

# Hosts that mean "every address of this machine".
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # only looked up


@dataclass(frozen=True)
class Address:
    """A host and a port to listen on, and the setting that moves it."""

    host: str
    port: int
    setting: str

    def held(self) -> socket.socket:
        """Listening, so that nothing else we start takes the port before its owner does.

        Port 0 becomes a free one. Raises `StartError` where nothing can listen there.
        """
        if self.host.startswith(UNIX):
            host = self.setting.replace("_PORT", "_HOST")
            raise StartError(f"{host}={self.host} is for `pipeline ingest`: `up` needs a host")
        port = self.port or free_port()
        try:
            return listening(self.host, port)
        except OSError as error:
            raise StartError(
                f"cannot listen on {written(self.host, port)} ({_reason(error)}): stop what"
                f" listens there, or set {self.setting} to another port (0 takes a free one)"
            ) from None

    def url(self, path: str) -> str:
        """For a program on this machine."""
        host = bare(self.host)
        return f"http://{written(_ANY.get(host, host), self.port)}/{path}"


def _reason(error: OSError) -> str:
    # `strerror` of such an error repeats the address.
    return os.strerror(error.errno) if error.errno else str(error)


def ingest_address(settings: Settings) -> Address:
    """Of `settings`, its port 0 where any will do."""
    return Address(settings.ingest_host, settings.ingest_port, "PIPELINE_INGEST_PORT")


def admin_address(settings: Settings) -> Address:
    """The same of ingest's pages for operators."""
    return Address(settings.admin_host, settings.admin_port, "PIPELINE_ADMIN_PORT")


def dashboard_address(settings: Settings) -> Address:
    """The same of the dashboard."""
    return Address(settings.dashboard_host, settings.dashboard_port, "PIPELINE_DASHBOARD_PORT")
