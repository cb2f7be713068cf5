"""The address that each process has for its operators."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from operated import http, value

from pipeline.config import Settings
from pipeline.monitoring.metrics import Metrics
from pipeline.monitoring.monitor import PORTS, Monitor, operators_socket
from pipeline.monitoring.pages import Health
from pipeline.sockets import ListenError

AGE = "pipeline_dashboard_snapshot_age_seconds"


def made(home: Path, port: int = 0) -> Settings:
    return Settings(_env_file=None, home=home, metrics_port=port)


def metrics() -> Metrics:
    return Metrics("dashboard", gauges={AGE: lambda: 7.0})


def ready() -> Health:
    return True, {"status": "ready"}


def monitor(tmp_path: Path, health: Callable[[], Health] = ready) -> Monitor:
    return Monitor(made(tmp_path), metrics(), health)


def url(running: Monitor, page: str) -> str:
    return f"http://127.0.0.1:{running.port}/{page}"


def test_processes_of_one_machine_take_neighbouring_ports(tmp_path: Path) -> None:
    with ExitStack() as opened:
        first = opened.enter_context(operators_socket(made(tmp_path))).getsockname()[1]
        taken = {first}
        for _ in range(3):
            found = operators_socket(made(tmp_path, first))
            port = opened.enter_context(found).getsockname()[1]
            assert port not in taken
            assert first < port < first + PORTS
            taken.add(port)


def test_an_address_of_another_machine_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, metrics_host="192.0.2.1")
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:8090 .*PIPELINE_METRICS_PORT"):
        operators_socket(settings)


def test_pages_are_answered_while_the_work_does_not_come_round(tmp_path: Path) -> None:
    with monitor(tmp_path) as running:
        # This thread is the work, and it waits here.
        assert http.request("GET", url(running, "livez")).data == b"alive\n"
        assert value(url(running, "metrics"), AGE) == 7


def test_what_cannot_work_answers_503_with_its_reasons(tmp_path: Path) -> None:
    def health() -> Health:
        return False, {"status": "unavailable", "kafka": "Kafka does not answer"}

    with monitor(tmp_path, health) as running:
        answer = http.request("GET", url(running, "readyz"))
        assert (answer.status, answer.json()) == (503, health()[1])
        assert http.request("GET", url(running, "livez")).status == 200


def test_a_stranger_s_name_and_another_path_are_not_found(tmp_path: Path) -> None:
    with monitor(tmp_path) as running:
        host = {"host": "evil.example:80"}
        assert http.request("GET", url(running, "metrics"), headers=host).status == 404
        assert http.request("GET", url(running, "explain")).status == 404
        assert http.request("POST", url(running, "metrics")).status == 405


def test_errors_are_counted_and_the_last_one_is_told(tmp_path: Path) -> None:
    log = logging.getLogger("pipeline.tests")
    with monitor(tmp_path) as running:
        assert "last_error" not in http.request("GET", url(running, "readyz")).json()
        log.warning("a warning")
        log.error("no room on %s", "/data")
        log.error("no new\nsnapshot")
        assert value(url(running, "metrics"), "pipeline_errors_total") == 2
        at = value(url(running, "metrics"), "pipeline_last_error_timestamp_seconds")
        assert 0 <= time.time() - at < 60
        told = http.request("GET", url(running, "readyz")).json()["last_error"]
        assert told.endswith(" s ago: no new snapshot")
    assert len(logging.getLogger().handlers) == len(
        [each for each in logging.getLogger().handlers if type(each).__name__ != "LastError"]
    )


def test_the_port_is_free_again_at_the_end(tmp_path: Path) -> None:
    with monitor(tmp_path) as running:
        port = running.port
    with operators_socket(made(tmp_path, port)) as again:
        assert again.getsockname()[1] == port


def test_a_gauge_that_is_not_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match=AGE):
        Metrics("dashboard", gauges={})
