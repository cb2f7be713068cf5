"""What ingest listens on beside a port of IPv4: IPv6, unix sockets, sockets of systemd."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from ingest.clients import client_of
from processes import Verb, environment, wait_for

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.sockets import unix_listening


@dataclass
class Target:
    """Where a client connects; see `ingest.clients.Client`."""

    family: socket.AddressFamily
    address: str | tuple[str, int]
    token: str

    def connect(self) -> socket.socket:
        made = socket.socket(self.family)
        made.settimeout(15)
        made.connect(self.address)
        return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Kafka is away: the spool takes what comes."""
    given = {"kafka_bootstrap_servers": "127.0.0.1:9", "ingest_port": 0, "admin_port": 0}
    return Settings(_env_file=None, home=tmp_path, **given)  # type: ignore[arg-type]


@pytest.fixture
def token(settings: Settings) -> str:
    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest]}})
    return token


@contextmanager
def running(settings: Settings, name: str = "ingest", **more: str) -> Iterator[Verb]:
    ingest = Verb("ingest", settings.model_copy(update=more), name)
    try:
        wait_for(lambda: "/metrics" in ingest.said() or ingest.is_ended(), seconds=60)
        yield ingest
    finally:
        ingest.kill()


def assert_serves(beacons: Target, admin: Target) -> None:
    with client_of(beacons) as client:
        client.send(client.post())
        assert client.answer()[0] == 204
    with client_of(admin) as client:
        client.send(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert client.answer()[2] == b"alive\n"


def test_it_listens_on_ipv6(settings: Settings, token: str) -> None:
    with running(settings, ingest_host="::1", admin_host="[::1]") as ingest:
        ports = re.findall(r"http://\[::1\]:(\d+)/", ingest.said())
        beacons, admin = (Target(socket.AF_INET6, ("::1", int(port)), token) for port in ports)
        assert_serves(beacons, admin)


def test_it_listens_on_unix_sockets_and_replaces_those_of_a_dead_process(
    settings: Settings, token: str
) -> None:
    paths = [settings.home / "ingest.sock", settings.home / "admin.sock"]
    beacons, admin = (Target(socket.AF_UNIX, str(path), token) for path in paths)
    given = {"ingest_host": f"unix:{paths[0]}", "admin_host": f"unix:{paths[1]}"}
    for mode in ("660", "600"):
        with running(settings, f"first-{mode}", socket_mode=mode, **given) as ingest:
            assert f"http://unix:{paths[0]}:/beacon" in ingest.said()
            assert_serves(beacons, admin)
            for path in paths:
                assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)
            with running(settings, f"second-{mode}", **given) as second:
                assert second.said().count("\n") == 1
                assert "(Address already in use): set PIPELINE_INGEST_HOST" in second.said()
            assert_serves(beacons, admin)


@pytest.mark.parametrize("is_file", [True, False])
def test_what_is_no_socket_is_not_replaced(tmp_path: Path, *, is_file: bool) -> None:
    path = tmp_path / "ingest.sock"
    path.write_text("kept") if is_file else path.mkdir()
    with pytest.raises(OSError, match="Address already in use"):
        unix_listening(path, mode=0o600, backlog=1)
    assert path.read_text() == "kept" if is_file else path.is_dir()


# Puts the sockets where systemd does; what takes its place has its process id.
ACTIVATE = """
import fcntl, os, sys
pid, *fds = map(int, sys.argv[1:])
os.environ |= {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": str(len(fds))}
for to, copy in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in fds], start=3):
    os.dup2(copy, to)
os.execv(sys.executable, [sys.executable, "-m", "pipeline", "ingest"])
"""


@contextmanager
def activated(settings: Settings, *sockets: socket.socket, pid: int = 0) -> Iterator[Path]:
    """Ingest with inherited `sockets`; what it says stands in the file."""
    fds = [each.fileno() for each in sockets]
    said = settings.home / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, *map(str, [pid, *fds])],
            env=environment(settings),
            cwd=settings.home,
            pass_fds=fds,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(lambda: "/metrics" in said.read_text() or process.poll() is not None, seconds=60)
        yield said
    finally:
        process.terminate()
        process.wait(30)


def test_it_serves_sockets_that_systemd_hands_over(settings: Settings, token: str) -> None:
    path = settings.home / "beacons.sock"
    with ExitStack() as held:
        unix = held.enter_context(unix_listening(path, mode=0o600, backlog=9))
        port = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = port.getsockname()
        beacons = Target(socket.AF_UNIX, str(path), token)
        # What came before it runs, and between two that run, is served once one does.
        for _ in range(2):
            with client_of(beacons) as early:
                early.send(early.post())
                with activated(settings, unix, port) as said:
                    assert f"http://127.0.0.1:{address[1]}/metrics" in said.read_text()
                    assert early.answer()[0] == 204
                    assert_serves(beacons, Target(socket.AF_INET, address, token))


def test_a_socket_of_systemd_may_be_for_beacons_alone(settings: Settings, token: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as port, activated(settings, port) as said:
        (admin,) = re.findall(r"http://127.0.0.1:(\d+)/metrics", said.read_text())
        admin_target = Target(socket.AF_INET, ("127.0.0.1", int(admin)), token)
        assert_serves(Target(socket.AF_INET, port.getsockname(), token), admin_target)


def test_sockets_for_another_process_are_not_taken(settings: Settings, token: str) -> None:
    assert token
    with (
        socket.create_server(("127.0.0.1", 0)) as port,
        activated(settings, port, pid=os.getpid()) as said,
    ):
        assert "/beacon" in said.read_text()
        assert f":{port.getsockname()[1]}/" not in said.read_text()


def test_a_connection_in_place_of_a_listening_socket_is_one_line(
    settings: Settings, token: str
) -> None:
    assert token
    ours, theirs = socket.socketpair()
    with ours, theirs, activated(settings, theirs) as said:
        assert said.read_text().count("\n") == 1
        assert "Accept=no" in said.read_text()
