from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from processes import announced

from pipeline.devstack.addresses import Address
from pipeline.devstack.first_store import introduced, make_first_store
from pipeline.sockets import ListenError


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/beacon"),
        ("shop.example", "http://shop.example:80/beacon"),
        ("0.0.0.0", "http://127.0.0.1:80/beacon"),  # noqa: S104  # what a container listens on
        ("::", "http://[::1]:80/beacon"),
        ("::1", "http://[::1]:80/beacon"),
        ("[::1]", "http://[::1]:80/beacon"),
        ("[::]", "http://[::1]:80/beacon"),
    ],
)
def test_a_program_on_this_machine_finds_every_kind_of_address(host: str, url: str) -> None:
    assert Address(host, 80, "").url("beacon") == url


def test_port_0_becomes_a_port_that_is_free_once_released() -> None:
    with Address("127.0.0.1", 0, "").held() as held:
        port = held.getsockname()[1]
        with pytest.raises(ListenError, match=f"127.0.0.1:{port} .*in use.* set PIPELINE_X to"):
            Address("127.0.0.1", port, "PIPELINE_X").held()
    Address("127.0.0.1", port, "").held().close()


def test_an_address_of_another_machine_is_one_line() -> None:
    # TEST-NET-3 belongs to no machine.
    with pytest.raises(ListenError, match=r"cannot listen on 203\.0\.113\.1:80 \(Cannot assign"):
        Address("203.0.113.1", 80, "PIPELINE_INGEST_PORT").held()


def test_an_unknown_host_is_one_line() -> None:
    with pytest.raises(ListenError, match=r"cannot listen on no host:80 \([^:]*\): stop"):
        Address("no host", 80, "PIPELINE_INGEST_PORT").held()


def test_an_ipv6_address_may_have_brackets_and_is_shown_with_them() -> None:
    with Address("[::1]", 0, "").held() as held:
        port = held.getsockname()[1]
        for host in ("::1", "[::1]"):
            with pytest.raises(ListenError, match=rf"cannot listen on \[::1\]:{port} "):
                Address(host, port, "").held()


@pytest.mark.parametrize("verb", ["ingest", "dashboard"])
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_a_process_listens_on_ipv6_and_prints_its_address(
    tmp_path: Path, verb: str, host: str
) -> None:
    settings = {
        "home": str(tmp_path),
        "kafka_bootstrap_servers": "127.0.0.1:9",
        f"{verb}_host": host,
        f"{verb}_port": "0",
        "admin_port": "0",
    }
    make_first_store(tmp_path / "stores.toml", "shop")
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", verb],
        env={**os.environ, **{f"PIPELINE_{name.upper()}": text for name, text in settings.items()}},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        url, _ = announced(process, verb)
        process.terminate()
    assert re.fullmatch(r"http://\[::1\]:\d+(/beacon)?", url)
    assert process.returncode == 0


def test_a_terminal_shows_the_first_token_once_and_no_file_has_it(tmp_path: Path) -> None:
    said = introduced(tmp_path / "stores.toml", "http://x/beacon", "secret-1", is_terminal=True)
    assert "(shown only once): secret-1\n" in said
    assert list(tmp_path.iterdir()) == []
