"""The examples of `deploy` before real ingests: beacons go through, and nothing else does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from ingest.wire_cases import minimal
from machine import Machine, blocks
from operated import operated_settings
from processes import Verb, environment, wait_for
from webdriver import needed

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.broker.server import Broker
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "beacons.shop.example"
SHOP = "https://shop.example"
BODY = {"events": [minimal("search", timestamp="2099-01-01T00:00:00Z")]}
# By SIGTERM; HAProxy says that it was one.
PROGRAM_ENDS = (0, 128 + signal.SIGTERM, -signal.SIGTERM)
HOSTS = ("127.0.0.1", "127.0.0.2")


@dataclass(frozen=True)
class Program:
    """What ends TLS: its example, how it is installed, started, and what a test's place is."""

    example: str
    package: str
    options: tuple[str, ...]
    folder: str
    listens: tuple[str, str]


PROGRAMS = {
    "nginx": Program(
        "nginx.conf",
        "nginx-light",
        ("-p", "{folder}", "-g", "daemon off; pid {folder}/pid;", "-c", "{config}"),
        "/etc/nginx/",
        ("listen 443 ssl", "listen 127.0.0.1:PORT ssl"),
    ),
    "haproxy": Program(
        "haproxy.cfg",
        "haproxy",
        ("-W", "-db", "-f", "{config}"),
        "/etc/haproxy/",
        ("bind :443 ", "bind 127.0.0.1:PORT "),
    ),
    "caddy": Program(
        "Caddyfile",
        "caddy",
        ("run", "--adapter", "caddyfile", "--config", "{config}"),
        "/etc/caddy/",
        (f"\n{NAME} {{", f"\n{NAME}:PORT {{\n\tbind 127.0.0.1"),
    ),
}


@dataclass
class Edge:
    """Two ingests behind the program `name`; `url` is the origin of strangers."""

    name: str
    url: str
    token: str
    pem: Path
    ingests: list[Verb]
    logs: Path
    process: subprocess.Popen[bytes]
    http: Any = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.client()

    def client(self) -> Any:
        return urllib3.PoolManager(
            ca_certs=str(self.pem), server_hostname=NAME, assert_hostname=NAME, retries=False
        )

    def request(self, method: str, path: str, **more: Any) -> Any:
        headers = {"host": NAME, **more.pop("headers", {})}
        http = more.pop("http", self.http)
        return http.request(method, f"{self.url}{path}", headers=headers, timeout=30, **more)

    def logged(self) -> str:
        return "".join(log.read_text() for log in (*self.logs.glob("*.log"), self.logs / "said"))


def certificate(folder: Path, end: str = "") -> Path:
    """Of `NAME`, signed by itself, with its key behind it, as HAProxy wants it."""
    openssl = needed("openssl", "apt-get install openssl")
    made, key = folder / f"beacons.pem{end}", folder / f"beacons.key{end}"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"),
            *("-keyout", str(key), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + key.read_text())
    return made


def configured(program: Program, folder: Path, *, port: int, ingest: Settings) -> str:
    """The example with this machine's places, and nothing else changed."""
    text = (DEPLOY / program.example).read_text()
    before, after = program.listens
    places = [
        (before, after.replace("PORT", str(port))),
        (":8080", f":{ingest.ingest_port}"),
        (program.folder, f"{folder}/"),
        *zip(("10.0.0.1", "10.0.0.2"), HOSTS, strict=True),
    ]
    if program.example == "nginx.conf":
        places.append(("/var/log/nginx/", f"{folder}/"))
    else:
        places.append((" 8082", f" {ingest.admin_port}"))
    for place, here in places:
        assert place in text
        text = text.replace(place, here)
    return text


@contextmanager
def serving(name: str, settings: Settings, folder: Path, *, delay: timedelta) -> Iterator[Edge]:
    """The program `name` before two ingests."""
    program = PROGRAMS[name]
    binary = needed(name, f"apt-get install {program.package}")
    create_topics(settings)
    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest], "origins": [SHOP]}})
    folder.mkdir()
    pem, port = certificate(folder), free_port()
    ports = {"ingest_port": free_port(), "admin_port": free_port(), "drain_delay": delay}
    with ExitStack() as running:
        ingests = []
        for host in HOSTS:
            own = {**ports, "ingest_host": host, "admin_host": host}
            ingest = Verb("ingest --explain", settings.model_copy(update=own), f"ingest-{host}")
            running.callback(ingest.kill)
            ingests.append(ingest)
        for ingest in ingests:
            wait_ready(ingest)
        config = folder / program.example
        config.write_text(configured(program, folder, port=port, ingest=ingests[0].settings))
        options = [each.format(folder=folder, config=config) for each in program.options]
        own_places = {f"XDG_{kind}_HOME": str(folder) for kind in ("DATA", "CONFIG")}
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [binary, *options], stdout=said, stderr=said, env={**os.environ, **own_places}
            )
        try:
            edge = Edge(name, f"https://127.0.0.1:{port}", token, pem, ingests, folder, process)
            wait_for(lambda: is_up(edge))
            yield edge
        finally:
            process.terminate()
            assert process.wait(60) in PROGRAM_ENDS, (folder / "said").read_text()


def wait_ready(ingest: Verb) -> None:
    host, port = ingest.settings.admin_host, ingest.settings.admin_port
    ready = f"http://{host}:{port}/readyz"
    answers = urllib3.PoolManager(retries=False)

    def is_ready() -> bool:
        try:
            return bool(answers.request("GET", ready).json()["status"] == "ready")
        except urllib3.exceptions.HTTPError:
            return False

    wait_for(is_ready, seconds=60, each=ingest.assert_alive)


def is_up(edge: Edge) -> bool:
    assert edge.process.poll() is None, edge.logged()
    try:
        return bool(edge.request("GET", "/beacon").status == 405)
    except urllib3.exceptions.HTTPError:
        return False


@pytest.fixture
def serve(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., Edge]]:
    with ExitStack() as running:
        yield lambda name, delay=timedelta(0): running.enter_context(
            serving(name, settings, tmp_path / name, delay=delay)
        )


@pytest.fixture(scope="module", params=PROGRAMS)
def shared(
    request: pytest.FixtureRequest, kafka: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    home = tmp_path_factory.mktemp("shared")
    settings = operated_settings(kafka, home)
    with serving(request.param, settings, home / request.param, delay=timedelta(0)) as edge:
        yield edge


@pytest.fixture
def edge(shared: Edge) -> Edge:
    """Each program in turn; its ingests run."""
    for ingest in shared.ingests:
        if ingest.is_ended():
            ingest.start()
            wait_ready(ingest)
    wait_for(lambda: is_up(shared))
    return shared


def test_beacons_go_through_with_the_words_of_ingest_and_nothing_else_does(edge: Edge) -> None:
    shop = {"origin": SHOP, "x-storefront-access-token": edge.token}
    for path, headers in (
        ("/beacon", shop),
        (f"/beacon?token={edge.token}", {"origin": SHOP}),
    ):
        answer = edge.request("POST", path, headers=headers, json=BODY)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, SHOP)
    too_large = edge.request("POST", "/beacon", headers=shop, body=b" " * 1_500_000)
    assert (too_large.status, too_large.headers["access-control-allow-origin"]) == (413, SHOP)
    asked = {"origin": SHOP, "access-control-request-method": "POST"}
    assert edge.request("OPTIONS", "/beacon", headers=asked).status == 204
    # A proxy's own name for this machine is what a check of the Host would believe.
    for host in (NAME, "127.0.0.1"):
        for page in ("livez", "readyz", "metrics", "explain", "explain.json", ""):
            answer = edge.request("GET", f"/{page}", headers={"host": host})
            # Caddy has no answer for a name that it does not serve.
            found = (edge.name, host, answer.data)
            assert answer.status == 404 or found == ("caddy", "127.0.0.1", b"")


def test_it_speaks_http_2(edge: Edge) -> None:
    curl = needed("curl", "apt-get install curl")
    port = edge.url.rsplit(":", 1)[1]
    said = subprocess.run(
        [
            *(curl, "--silent", "--http2", "--cacert", str(edge.pem)),
            *("--resolve", f"{NAME}:{port}:127.0.0.1", f"https://{NAME}:{port}/beacon"),
            *("-H", f"x-storefront-access-token: {edge.token}", "-d", json.dumps(BODY)),
            *("-w", "%{http_version} %{http_code}"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout == "2 204"


def test_no_log_has_the_token_also_while_ingest_is_down(edge: Edge) -> None:
    path, header = f"/beacon?token={edge.token}", {"x-storefront-access-token": edge.token}
    assert edge.request("POST", path, json=BODY).status == 204
    for ingest in edge.ingests:
        ingest.kill()
    for headers in ({}, header):
        assert edge.request("POST", path, json=BODY, headers=headers).status in (502, 503)
    if edge.name != "caddy":
        wait_for(lambda: re.search(r"/beacon 50[23]", edge.logged()) is not None)
        assert "/beacon 204" in edge.logged()
    assert edge.token not in edge.logged()


# nginx asks for no readiness: it tries the other one.
@pytest.mark.parametrize(("name", "delay"), [("nginx", 0), ("haproxy", 4), ("caddy", 4)])
def test_a_rolling_restart_loses_no_request(
    serve: Callable[..., Edge], tmp_path: Path, name: str, delay: int
) -> None:
    """As its runbook says, on one machine after the other."""
    edge = serve(name, timedelta(seconds=delay))
    machines = [
        machine_of(ingest, tmp_path / f"machine{n}") for n, ingest in enumerate(edge.ingests)
    ]
    (page,) = blocks("rolling-restart.md")
    outcomes, stop = Counter[object](), threading.Event()

    def client() -> None:
        http = edge.client()
        headers = {"x-storefront-access-token": edge.token}
        while not stop.wait(0.01):
            try:
                answer = edge.request("POST", "/beacon", json=BODY, headers=headers, http=http)
                outcomes[answer.status] += 1
            except urllib3.exceptions.HTTPError as error:
                outcomes[str(error)] += 1

    clients = [threading.Thread(target=client) for _ in range(4)]
    for each in clients:
        each.start()
    try:
        for machine in machines:
            wait_more(outcomes)
            assert '"status"' in machine.run(page)
            wait_more(outcomes)
    finally:
        stop.set()
        for each in clients:
            each.join()
        for machine in machines:
            machine.stop()
    assert set(outcomes) == {204}, outcomes


# Those that do not renew it themselves, and what a machine has in their place.
RELOADED = {
    "nginx": {"nginx": "{binary} -p {folder} -g 'pid {folder}/pid;' -c {config} \"$@\""},
    "haproxy": {
        "haproxy": '{binary} "$@"',
        "systemctl": '[ "$*" = "reload haproxy" ] && kill -USR2 {pid}',  # as its unit does
    },
}


TYPED = {
    "nginx": blocks("rotate-certificates.md", "The certificate of nginx"),
    "haproxy": blocks("rotate-certificates.md", "The certificate of HAProxy"),
}


@pytest.mark.parametrize("name", RELOADED)
def test_a_new_certificate_is_served_and_a_request_under_way_is_answered(
    serve: Callable[..., Edge], tmp_path: Path, name: str
) -> None:
    """As its runbook says."""
    edge, program = serve(name), PROGRAMS[name]
    machine = Machine.made(tmp_path / "machine")
    for command, line in RELOADED[name].items():
        places = {"folder": edge.logs, "config": edge.logs / program.example}
        text = line.format(binary=shutil.which(name), pid=edge.process.pid, **places)
        machine.install(command, text)
    (page,) = TYPED[name]
    new = certificate(edge.logs, ".new")
    body = json.dumps(BODY)
    head = f"POST /beacon?token={edge.token} HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n"
    with connected(edge, edge.pem) as under_way:
        under_way.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body[:9]}".encode())
        machine.run(page.replace(program.folder, f"{edge.logs}/"))
        wait_for(lambda: serves(edge, new))
        under_way.sendall(body[9:].encode())
        assert under_way.recv(100).startswith(b"HTTP/1.1 204")
    # A process that ends may take this connection yet, with the certificate before.
    either = edge.logs / "either.pem"
    either.write_text(edge.pem.read_text() + new.read_text())
    edge.pem = either
    answer = edge.request("POST", f"/beacon?token={edge.token}", json=BODY, http=edge.client())
    assert answer.status == 204


def connected(edge: Edge, trusted: Path) -> ssl.SSLSocket:
    host, port = edge.url.removeprefix("https://").split(":")
    plain = socket.create_connection((host, int(port)), timeout=30)
    context = ssl.create_default_context(cafile=str(trusted))
    return context.wrap_socket(plain, server_hostname=NAME)


def serves(edge: Edge, pem: Path) -> bool:
    try:
        connected(edge, pem).close()
    except ssl.SSLCertVerificationError:
        return False
    return True


def machine_of(ingest: Verb, folder: Path) -> Machine:
    """A machine whose unit is this ingest, which has its settings when it is started again."""
    variables = environment(ingest.settings)
    own = {name[9:]: value for name, value in variables.items() if name.startswith("PIPELINE_")}
    machine = Machine.made(folder, **own)
    assert ingest.process is not None
    (folder / "run" / "pipeline-ingest.pid").write_text(str(ingest.process.pid))
    return machine


def wait_more(outcomes: Counter[object]) -> None:
    """Until some more requests are answered, and a probe has seen what has changed."""
    stop_at = outcomes.total() + 100
    wait_for(lambda: outcomes.total() > stop_at, seconds=60)
    threading.Event().wait(2.5)
