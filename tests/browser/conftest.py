"""Pages on one origin, ingest, worker and loader behind another, and real clients."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from processes import Verb, stopping, wait_for
from sdk_environment import SdkEnvironment
from webdriver import Browser, needed

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics

HERE = Path(__file__).parent


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="package")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the SDK in `node_modules`, as package-lock.json pins it."""
    needed("node", "it is Node 20 or later")
    npm = needed("npm", "it comes with Node 20 or later")
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        check=True,
        timeout=120,
    )
    return folder


@pytest.fixture(scope="package")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A served folder and its port: 127.0.0.1 and localhost are two origins."""
    folder = tmp_path_factory.mktemp("pages")
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, server.server_port
        server.shutdown()
        thread.join()


def _has_printed(verb: Verb, text: str) -> bool:
    output = verb.said()
    assert verb.process is not None
    assert verb.process.poll() is None, output
    return text in output


@pytest.fixture(scope="package")
def environment(
    kafka: Broker, tmp_path_factory: pytest.TempPathFactory, pages: tuple[Path, int]
) -> Iterator[SdkEnvironment]:
    """All processes run; pages of http://127.0.0.1:port may send, those of localhost may not."""
    settings = Settings(
        _env_file=None,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=f"t{uuid4().hex[:8]}-",
        partitions=2,
        home=tmp_path_factory.mktemp("shop"),
        ingest_port=0,
        admin_port=0,
        dashboard_port=0,
        publish_interval=timedelta(milliseconds=200),
        load_interval=timedelta(milliseconds=200),
    )
    folder, port = pages
    token, digest = new_token()
    origin = f"http://127.0.0.1:{port}"
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest], "origins": [origin]}})
    create_topics(settings)
    running = [
        Verb("ingest --explain", settings, "ingest"),
        Verb("worker", settings),
        Verb("load", settings),
    ]
    with stopping(running):
        # All of them: one that is stopped before it handles signals is killed by the signal.
        says = ("/metrics", "processing", "loading into")
        wait_for(lambda: all(map(_has_printed, running, says)), seconds=60)
        said = running[0].said()
        server, admin = re.findall(r": (http\S+)/(?:beacon|metrics)$", said, re.MULTILINE)
        yield SdkEnvironment(settings, token, server, admin, origin, folder)
    for verb in running:
        assert token not in verb.said()


@pytest.fixture(scope="package")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("browser") / "one")
    yield browser
    browser.close()


@pytest.fixture
def browser(_browser: Browser) -> Browser:
    """One browser for all tests; its earlier logs are dropped."""
    _browser.open("about:blank")
    _browser.console()
    _browser.requests()
    return _browser


@pytest.fixture(scope="package")
def sdk_pages(environment: SdkEnvironment, sdk: Path) -> SdkEnvironment:
    """The environment, with the SDK and the document's track.js among its pages."""
    shutil.copytree(
        sdk / "node_modules" / "@commerce-blocks" / "sdk" / "dist", environment.folder / "sdk"
    )
    (environment.folder / "track.js").write_text(environment.example("js", "// track.js"))
    (environment.folder / "shirt.html").write_text(
        '<link rel="icon" href="data:,"><title>Shirt</title>'
    )
    (environment.folder / "bare.html").write_text(
        '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Bare</title>'
        '<script type="importmap">{"imports": {"@commerce-blocks/sdk": "/sdk/index.js"}}</script>'
    )
    return environment
