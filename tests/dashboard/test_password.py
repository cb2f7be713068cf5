"""Beyond this machine nobody reads figures without the password."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from dashboard_shop import basic, serving
from pydantic import SecretStr

from pipeline.config import Settings
from pipeline.dashboard import guesses as guesses_file
from pipeline.dashboard import run
from pipeline.dashboard.guesses import EACH, MOST, Guesses
from pipeline.dashboard.password import ExposedError, refuse_exposed

PASSWORD = "correct horse: battérie"


def of(home: Path, **changes: object) -> Settings:
    return Settings(_env_file=None, home=home, **{"dashboard_port": 0, **changes})


@pytest.fixture
def guarded(tmp_path: Path) -> Settings:
    return of(tmp_path, dashboard_password=SecretStr(PASSWORD))


@pytest.mark.parametrize("path", ["/", "/section/totals", "/csv/products", "/nothing", "//version"])
def test_every_address_asks_for_the_password(guarded: Settings, path: str) -> None:
    with serving(guarded) as served:
        refused = served.ask(path)
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Basic realm=")
        assert served.ask(path, headers=basic(PASSWORD)).status in {200, 404}


@pytest.mark.parametrize(
    "given",
    [
        basic(""),
        basic("correct horse"),
        basic(PASSWORD + " "),
        {"Authorization": "Basic "},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic Zm9v"},  # without a colon
        {"Authorization": "Bearer " + basic(PASSWORD)["Authorization"].split()[1]},
    ],
    ids=["empty", "part", "longer", "nothing", "rubbish", "no-colon", "bearer"],
)
def test_another_password_is_refused(guarded: Settings, given: dict[str, str]) -> None:
    with serving(guarded) as served:
        assert served.ask(headers=given).status == 401


def test_an_address_that_was_wrong_too_often_has_to_wait(guarded: Settings) -> None:
    with serving(guarded) as served:
        for _ in range(MOST):
            assert served.ask(headers=basic("guess")).status == 401
        for password in ("guess", PASSWORD):
            refused = served.ask(headers=basic(password))
            assert refused.status == 429
            assert 0 < int(refused.headers["retry-after"]) <= EACH
        assert served.ask().status == 401
        assert served.ask("/version").status == 200


def test_who_waits_may_try_again_and_others_need_not_wait() -> None:
    now = 0.0
    guesses = Guesses(clock=lambda: now)
    for _ in range(MOST):
        assert guesses.wait("192.0.2.1") == 0
        guesses.was_wrong("192.0.2.1")
    assert guesses.wait("192.0.2.1") == EACH
    assert guesses.wait("192.0.2.2") == 0
    now = EACH
    assert guesses.wait("192.0.2.1") == 0
    guesses.was_wrong("192.0.2.1")
    assert guesses.wait("192.0.2.1") == EACH
    now = 100 * EACH
    for _ in range(MOST):
        guesses.was_wrong("192.0.2.1")  # all before is forgotten
    assert guesses.wait("192.0.2.1") == EACH


def test_a_network_of_ipv6_is_one_address() -> None:
    guesses = Guesses(clock=lambda: 0.0)
    for number in range(MOST):
        guesses.was_wrong(f"2001:db8::{number:x}")
    assert guesses.wait("2001:db8::ffff") > 0
    assert guesses.wait("2001:db8:0:1::1") == 0


def test_addresses_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses_file, "ADDRESSES", 2)
    guesses = Guesses(clock=lambda: 0.0)
    for _ in range(MOST):
        guesses.was_wrong("192.0.2.1")
    guesses.was_wrong("192.0.2.2")
    assert guesses.wait("192.0.2.1") > 0
    guesses.was_wrong("192.0.2.3")
    assert guesses.wait("192.0.2.1") == 0


def test_who_goes_on_guessing_is_remembered_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses_file, "ADDRESSES", 2)
    guesses = Guesses(clock=lambda: 0.0)
    for address in ("192.0.2.1", "192.0.2.2", *["192.0.2.1"] * (MOST - 1), "192.0.2.3"):
        guesses.was_wrong(address)
    assert guesses.wait("192.0.2.1") > 0


def test_the_user_may_have_any_name(guarded: Settings) -> None:
    with serving(guarded) as served:
        for user in ("", "merchandiser"):
            assert served.ask(headers=basic(PASSWORD, user)).status == 200


def test_without_a_password_nothing_is_asked(settings: Settings) -> None:
    with serving(settings) as served:
        assert served.ask().status == 200


def test_health_checks_need_none(guarded: Settings) -> None:
    with serving(guarded) as served:
        assert served.ask("/version").status == 200


def test_it_does_not_start_open_beyond_this_machine(tmp_path: Path) -> None:
    # On a port that is taken: a failing test ends, too.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = of(tmp_path, dashboard_host="0.0.0.0", dashboard_port=port)  # noqa: S104
        with pytest.raises(ExposedError, match="PIPELINE_DASHBOARD_PASSWORD"):
            run(settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.0.2.7", "stats.example"])  # noqa: S104
def test_beyond_this_machine_it_needs_a_password_or_something_in_front(
    tmp_path: Path, host: str
) -> None:
    with pytest.raises(ExposedError, match="listens beyond this machine"):
        refuse_exposed(of(tmp_path, dashboard_host=host))
    refuse_exposed(of(tmp_path, dashboard_host=host, dashboard_open=True))
    refuse_exposed(of(tmp_path, dashboard_host=host, dashboard_password=SecretStr("x")))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]", ""])
def test_on_this_machine_it_needs_none(tmp_path: Path, host: str) -> None:
    refuse_exposed(of(tmp_path, dashboard_host=host))


def test_the_password_reaches_the_process_of_up_and_no_log(guarded: Settings) -> None:
    assert guarded.environment()["PIPELINE_DASHBOARD_PASSWORD"] == PASSWORD
    assert PASSWORD not in repr(guarded)
    with pytest.raises(ExposedError) as refused:
        refuse_exposed(of(guarded.home, dashboard_host="192.0.2.7"))
    assert "192.0.2.7" in str(refused.value)
