from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import urllib3
from processes import announced

from pipeline.config import Settings
from pipeline.ingest.server import run
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.sockets import ListenError

BODY = '{"events":[{"event_type":"search","timestamp":"2099-01-01T00:00:00Z","session_id":"s","query":""}]}'  # noqa: E501


def start(
    settings: Settings, *, port: int = 0, admin_port: int = 0, files: int | None = None
) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PIPELINE_HOME": str(settings.home),
        "PIPELINE_INGEST_PORT": str(port),
        "PIPELINE_ADMIN_PORT": str(admin_port),
        "PIPELINE_TOPIC_PREFIX": settings.topic_prefix,
        "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "PIPELINE_ACK_TIMEOUT": "PT1S",
    }
    # Where it is lowered, the shell goes and leaves its limit to what takes its place.
    shell = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"] if files else []
    return subprocess.Popen(
        [*shell, sys.executable, "-m", "pipeline", "ingest"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def unreachable(settings: Settings) -> Iterator[Settings]:
    """Settings whose Kafka accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        yield settings.model_copy(update={"kafka_bootstrap_servers": address})


def test_it_starts_without_kafka_answers_from_its_spool_and_ends_with_0_on_sigterm(
    unreachable: Settings,
) -> None:
    token, digest = new_token()
    write_stores(unreachable.stores, {"shop": {"tokens_sha256": [digest]}})
    process = start(unreachable)
    try:
        url, said = announced(process, "ingest")
        headers = {"x-storefront-access-token": token}
        http: Any = urllib3.PoolManager(retries=False)
        assert http.request("POST", url, body=BODY, headers=headers).status == 204
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=60)
        assert (process.returncode, output[0]) == (0, "")
        assert token not in "".join((said, *output))
    finally:
        process.kill()


def test_without_a_stores_file_it_says_so_in_one_line(settings: Settings) -> None:
    process = start(settings)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.count("\n") == 1
    assert str(settings.stores) in error


@pytest.mark.parametrize(
    ("port", "setting"), [("port", "PIPELINE_INGEST_PORT"), ("admin_port", "PIPELINE_ADMIN_PORT")]
)
def test_a_port_in_use_is_one_line(settings: Settings, port: str, setting: str) -> None:
    write_stores(settings.stores, {"shop": {"tokens_sha256": [new_token()[1]]}})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(settings, **{port: taken.getsockname()[1]})
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.count("\n") == 1
    assert f"set {setting} to another port" in error


def test_events_are_not_shown_to_all_the_world_by_a_slip(settings: Settings) -> None:
    write_stores(settings.stores, {"shop": {"tokens_sha256": [new_token()[1]]}})
    for host in ("0.0.0.0", "::"):  # noqa: S104  # the case
        open_to_all = settings.model_copy(update={"admin_host": host})
        with pytest.raises(ListenError, match="--explain shows events to every client"):
            run(open_to_all, explain=True)


@pytest.mark.parametrize(("files", "silent"), [(300, 500), (256, 0)])
def test_where_few_files_may_be_open_it_serves_fewer_at_once_or_says_why_not(
    unreachable: Settings, files: int, silent: int
) -> None:
    token, digest = new_token()
    write_stores(unreachable.stores, {"shop": {"tokens_sha256": [digest]}})
    process = start(unreachable, files=files)
    try:
        if not silent:
            _, error = process.communicate(timeout=60)
            assert process.returncode == 1
            assert error.count("\n") == 1
            assert "ulimit" in error
            return
        url, said = announced(process, "ingest")
        assert "at most 44 connections instead of 10000" in said
        host, port = url.split("/")[2].split(":")
        with ExitStack() as clients:
            for _ in range(silent):
                clients.enter_context(socket.create_connection((host, int(port)), timeout=15))
            headers = {"x-storefront-access-token": token}
            http: Any = urllib3.PoolManager(retries=False)
            assert http.request("POST", url, body=BODY, headers=headers).status == 204
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
