"""Which names the dashboard answers to, where it listens on every address, as in a container."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from pipeline.config import Settings
from pipeline.dashboard import create_app


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    names = "stats.example, other.example"
    settings = Settings(home=tmp_path, dashboard_host="0.0.0.0", dashboard_hosts=names)  # noqa: S104  # the app does not listen
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield int(listener.getsockname()[1])
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8081", 200),
        ("localhost", 200),
        ("[::1]:8081", 200),
        ("Stats.example:8081", 200),
        ("other.example", 200),
        ("rebound.example", 400),
        ("stats.example.rebound.example", 400),
    ],
)
def test_it_answers_only_to_its_host_names(port: int, host: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/version", headers={"Host": host})
    assert connection.getresponse().status == status
    connection.close()
