"""A local Maven repository that can be made to fail."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.devstack.broker.jars import Jar


@dataclass
class Repository:
    """Serves `files` by path, after one of `failures` for each request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)
    # Missing bytes by response: announced but not sent.
    short_by: list[int] = field(default_factory=list)

    def add(self, name: str, data: bytes) -> Jar:
        path = f"org/example/{name}/1/{name}-1.jar"
        self.files[path] = data
        return Jar(path, len(data), hashlib.sha256(data).hexdigest())

    def answer(self, path: str) -> tuple[int, bytes, int]:
        self.requested.append(path)
        if self.failures:
            return self.failures.pop(0), b"", 0
        if path not in self.files:
            return 404, b"", 0
        return 200, self.files[path], self.short_by.pop(0) if self.short_by else 0


@pytest.fixture
def repository() -> Iterator[Repository]:
    served = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A request to a proxy has the full URL.
            status, data, missing = served.answer(self.path.split("/maven2/")[1])
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) - missing])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/maven2"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()
