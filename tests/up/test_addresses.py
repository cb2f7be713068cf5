from __future__ import annotations

import pytest

from pipeline.addresses import Address
from pipeline.supervise import StartError


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/beacon"),
        ("shop.example", "http://shop.example:80/beacon"),
        ("0.0.0.0", "http://127.0.0.1:80/beacon"),  # noqa: S104  # what a container listens on
        ("::", "http://[::1]:80/beacon"),
        ("::1", "http://[::1]:80/beacon"),
    ],
)
def test_a_program_on_this_machine_finds_whatever_is_listened_on(host: str, url: str) -> None:
    assert Address(host, 80, "").url("beacon") == url


def test_port_0_becomes_one_that_can_be_listened_on_once_it_is_let_go() -> None:
    with Address("127.0.0.1", 0, "").held() as held:
        port = held.getsockname()[1]
        with pytest.raises(StartError, match=f"127.0.0.1:{port} .*in use.* set PIPELINE_X to"):
            Address("127.0.0.1", port, "PIPELINE_X").held()
    Address("127.0.0.1", port, "").held().close()


def test_an_address_of_another_machine_is_one_line() -> None:
    # TEST-NET-3: nobody has it.
    with pytest.raises(StartError, match=r"cannot listen on 203\.0\.113\.1:80 \(Cannot assign"):
        Address("203.0.113.1", 80, "PIPELINE_INGEST_PORT").held()


def test_a_host_that_is_no_name_is_one_line() -> None:
    with pytest.raises(StartError, match="cannot listen on no host:80"):
        Address("no host", 80, "PIPELINE_INGEST_PORT").held()
