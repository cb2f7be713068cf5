"""The nginx of the document before a real ingest: beacons go through, and nothing else does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from ingest.wire_cases import minimal
from processes import Verb, wait_for
from webdriver import needed

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"
NAME = "beacons.shop.example"
SHOP = "https://shop.example"
BODY = {"events": [minimal("search", timestamp="2099-01-01T00:00:00Z")]}


@dataclass
class Edge:
    """Ingest behind nginx; `url` is the origin of strangers."""

    url: str
    token: str
    http: Any
    ingest: Verb
    logs: Path

    def request(self, method: str, path: str, **more: Any) -> Any:
        headers = {"host": NAME, **more.pop("headers", {})}
        return self.http.request(method, f"{self.url}{path}", headers=headers, **more)

    def logged(self) -> str:
        return "".join(log.read_text() for log in self.logs.glob("*.log"))


def certificate(folder: Path) -> Path:
    """Of `NAME`, signed by itself."""
    openssl = needed("openssl", "apt-get install openssl")
    made = folder / "beacons.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"),
            *("-keyout", str(folder / "beacons.key"), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
    )
    return made


def example(folder: Path, *, port: int, ingest: str) -> str:
    """The document's, with this machine's places, and nothing else changed."""
    (text,) = re.findall(r"^```nginx\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    for place, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("127.0.0.1:8080", ingest),
        ("/etc/nginx/", f"{folder}/"),
        ("/var/log/nginx/", f"{folder}/"),
    ):
        assert place in text
        text = text.replace(place, here)
    return text


@pytest.fixture
def edge(settings: Settings, tmp_path: Path) -> Iterator[Edge]:
    nginx = needed("nginx", "apt-get install nginx-light")
    create_topics(settings)
    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest], "origins": [SHOP]}})
    ingest = Verb("ingest --explain", settings, "ingest")
    folder = tmp_path / "nginx"
    folder.mkdir()
    pem, port = certificate(folder), free_port()
    try:
        wait_for(lambda: "/metrics" in ingest.said(), seconds=60)
        (door,) = re.findall(r"http://(\S+)/beacon", ingest.said())
        (folder / "nginx.conf").write_text(example(folder, port=port, ingest=door))
        options = f"daemon off; pid {folder}/pid;"
        command = [nginx, "-p", str(folder), "-c", f"{folder}/nginx.conf", "-g", options]
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said)
        http = urllib3.PoolManager(
            ca_certs=str(pem), server_hostname=NAME, assert_hostname=NAME, retries=False
        )
        edge = Edge(f"https://127.0.0.1:{port}", token, http, ingest, folder)
        try:
            wait_for((folder / "pid").exists, seconds=30)
            yield edge
        finally:
            process.terminate()
            assert process.wait(10) == 0, (folder / "said").read_text()
    finally:
        ingest.kill()


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
    # nginx' own name for this machine is what a check of the Host would believe.
    for host in (NAME, "127.0.0.1"):
        for page in ("livez", "readyz", "metrics", "explain", "explain.json", ""):
            assert edge.request("GET", f"/{page}", headers={"host": host}).status == 404


def test_no_log_has_the_token_also_while_ingest_is_down(edge: Edge) -> None:
    path = f"/beacon?token={edge.token}"
    assert edge.request("POST", path, json=BODY).status == 204
    edge.ingest.kill()
    assert edge.request("POST", path, json=BODY).status == 502
    wait_for(lambda: "/beacon 502" in edge.logged(), seconds=10)
    assert "/beacon 204" in edge.logged()
    assert edge.token not in edge.logged() + (edge.logs / "said").read_text()
