"""Beyond this machine nobody reads figures without the password."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from dashboard_shop import basic, serving
from pydantic import SecretStr

from pipeline.config import Settings
from pipeline.dashboard import run
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


def test_it_does_not_start_open_beyond_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # On a port that is taken: a failing test ends, too.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(of(tmp_path, dashboard_host="0.0.0.0", dashboard_port=port)) == 1  # noqa: S104
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "PIPELINE_DASHBOARD_PASSWORD" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.0.2.7", "stats.example", ""])  # noqa: S104
def test_beyond_this_machine_it_needs_a_password_or_something_in_front(
    tmp_path: Path, host: str
) -> None:
    with pytest.raises(ExposedError, match="listens beyond this machine"):
        refuse_exposed(of(tmp_path, dashboard_host=host))
    refuse_exposed(of(tmp_path, dashboard_host=host, dashboard_open=True))
    refuse_exposed(of(tmp_path, dashboard_host=host, dashboard_password=SecretStr("x")))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"])
def test_on_this_machine_it_needs_none(tmp_path: Path, host: str) -> None:
    refuse_exposed(of(tmp_path, dashboard_host=host))


def test_the_password_reaches_the_process_of_up_and_no_log(guarded: Settings) -> None:
    assert guarded.environment()["PIPELINE_DASHBOARD_PASSWORD"] == PASSWORD
    assert PASSWORD not in repr(guarded)
    with pytest.raises(ExposedError) as refused:
        refuse_exposed(of(guarded.home, dashboard_host="192.0.2.7"))
    assert "192.0.2.7" in str(refused.value)
