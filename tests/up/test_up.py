"""`pipeline up` from outside: its output, and what remains when it ends."""

from __future__ import annotations

import re
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3
from copy_programs import HANGS, hanging
from processes import wait_for

from pipeline.monitoring.process_record import ProcessRecord

Start = Callable[..., Any]
READY = "Ctrl-C stops everything"


def is_ready(run: Any) -> bool:
    assert run.process.poll() is None, run.errors
    return READY in run.output


def url_of(run: Any, line: str) -> str:
    return next(text for text in run.output.splitlines() if text.startswith(line)).split()[-1]


def test_kill_9_of_up_leaves_nothing_running(start: Start) -> None:
    run = start("up")
    wait_for(lambda: is_ready(run))
    first = run.child("pipeline dashboard")
    first.kill()
    # So that one of the processes was restarted before the kill.
    wait_for(lambda: (new := run.child("pipeline dashboard")) is not None and new.pid != first.pid)
    family = run.family()
    names = {process.name() for process in family}
    assert "java" in names
    run.process.kill()
    _, alive = psutil.wait_procs(family, 60)
    assert not alive


def test_the_same_command_resumes_after_kill_9(start: Start) -> None:
    run = start("up")
    wait_for(lambda: is_ready(run))
    run.process.kill()
    again = start("up")
    wait_for(lambda: is_ready(again))
    assert not again.end_all()
    assert "Its token" not in again.output


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("StorageTool", signal.SIGINT),
        ("kafka.Kafka", signal.SIGTERM),
        ("pipeline ingest", signal.SIGINT),
        pytest.param(None, signal.SIGTERM, marks=pytest.mark.long),
    ],
    ids=["Kafka's log is set up", "Kafka has begun", "ingest has begun", "all is ready"],
)
def test_a_signal_at_any_moment_of_the_start_ends_everything_with_0(
    start: Start, command: str | None, number: int
) -> None:
    run = start("up")
    wait_for(lambda: run.child(command) is not None if command else is_ready(run))
    assert not run.end_all(number)


def test_two_quick_signals_end_it_in_the_same_order(start: Start) -> None:
    run = start("up")
    wait_for(lambda: is_ready(run))
    assert not run.end_all(times=3)
    assert "killed" not in run.errors


def test_a_hanging_download_does_not_delay_a_signal(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}/maven2"
        run = start("up", cache=str(tmp_path / "empty"), maven_url=mirror)
        # Its request arrives and is never answered; the download would time out after 30 s.
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(4) == b"GET "
            run.process.send_signal(signal.SIGINT)
            # The connection ends with the process.
            while connection.recv(4096):
                pass
    assert run.process.wait(60) == 0


@pytest.mark.parametrize("verb", ["ingest", "admin", "dashboard"])
def test_a_port_in_use_is_one_line_before_anything_has_started(
    start: Start, tmp_path: Path, verb: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = start("up", **{f"{verb}_port": str(port)})
        assert run.process.wait(60) == 1
    (line,) = run.errors.splitlines()
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use): stop what" in line
    assert f"set PIPELINE_{verb.upper()}_PORT to another port" in line
    assert not (tmp_path / "home" / "kafka").exists()


def test_the_same_port_twice_is_one_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    run = start("up", ingest_port=port, dashboard_port=port)
    assert run.process.wait(60) == 1
    (line,) = run.errors.splitlines()
    assert "set PIPELINE_DASHBOARD_PORT to another port" in line


def test_a_stores_file_that_cannot_be_read_is_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "stores.toml").write_text("[stores.shop]\ntokens = 3\n")
    run = start("up")
    assert run.process.wait(60) == 1
    (line,) = run.errors.splitlines()
    assert "stores.toml is not a stores file" in line


def test_a_kafka_that_ends_at_its_start_is_one_line_with_the_reason(
    start: Start, tmp_path: Path
) -> None:
    logs = tmp_path / "home" / "kafka" / "logs"
    logs.mkdir(parents=True)
    (logs / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=other\n")
    run = start("up")
    assert run.process.wait(60) == 1
    last = run.errors.splitlines()[-1]
    assert last.startswith("ERROR kafka ended at its start: ")
    assert "node" in last
    asked = start("status")
    assert asked.process.wait(60) == 1
    assert "`pipeline up` gave up: kafka ended at its start: " in asked.output
    assert "does not answer" in asked.errors
    record = ProcessRecord.recorded(tmp_path / "home")
    assert record is not None
    assert not any(process.is_running for process in record.processes)


def test_an_unreachable_kafka_is_one_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        nobody = f"127.0.0.1:{deaf.getsockname()[1]}"
        run = start("up", kafka_bootstrap_servers=nobody)
        assert run.process.wait(60) == 1
    (line,) = run.errors.splitlines()
    assert f"Kafka at {nobody} does not answer" in line


def test_a_first_start_creates_a_store_and_prints_a_working_command(
    start: Start, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    run = start("up", **elsewhere)
    wait_for(lambda: is_ready(run))
    command = run.output.split("\n\n")[0].split("\n", 1)[1]
    sent = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602  # as a user would
    assert sent.stdout.startswith("HTTP/1.1 204")
    kept = tmp_path / "home" / "first-token"
    token = kept.read_text().strip()
    assert not run.end_all()
    # Only a terminal shows it.
    assert token not in run.output + run.errors
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    stores = tmp_path / "home" / "stores.toml"
    assert token not in stores.read_text()
    assert stat.S_IMODE(stores.stat().st_mode) == 0o600


# Python imports it at each start.
SITE = f"""
import sys
if sys.orig_argv[-1] == "load":
    from pipeline.warehouse.snapshots import copying
    copying.PROGRAM = {HANGS!r}
"""


def test_it_waits_for_the_last_snapshot_until_it_is_stopped_again(
    start: Start, elsewhere: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    home = tmp_path / "home"
    home.mkdir()
    (home / "hang").touch()
    run = start("up", **elsewhere)
    copy = hanging(home)
    family = run.family()
    run.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "load still publishes its last snapshot; Ctrl-C ends it" in run.errors)
    assert copy.is_running()
    assert not run.end_all(signal.SIGTERM)
    _, alive = psutil.wait_procs([*family, copy], 60)
    assert not alive
    assert not (home / "analytics.duckdb").exists()
    again = start("up", **elsewhere)
    wait_for(lambda: is_ready(again))
    # A loader that has not begun yet has nothing to publish at its end.
    wait_for((home / "analytics.duckdb").exists)
    assert not again.end_all()
    assert not list(home.glob("*.new"))


def test_status_shows_when_events_are_in_the_snapshot_and_its_age(
    start: Start, elsewhere: dict[str, str]
) -> None:
    run = start("up", publish_interval="PT0.2S", **elsewhere)
    wait_for(lambda: is_ready(run))
    command = run.output.split("\n\n")[0].split("\n", 1)[1]
    subprocess.run(command, shell=True, capture_output=True, check=True)  # noqa: S602  # as above

    def status() -> str:
        asked = start("status", **elsewhere)
        assert asked.process.wait(60) == 0, asked.errors
        return str(asked.output)

    # The row of its partition: on Kafka, committed, published, behind, and six counts.
    numbers = [*("1",) * 3, "0", "1", "1", *("0",) * 4]
    wait_for(lambda: any(re.findall(r"\d+", line)[1:] == numbers for line in status().split("\n")))
    assert re.search(
        r"snapshot: published \d:\d\d:\d\d ago; newest event received \d:\d\d:\d\d ago", status()
    )


def test_a_stores_file_of_the_user_is_unchanged(
    start: Start, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    stores = tmp_path / "mine.toml"
    stores.write_text("# mine\n[stores]\n")
    run = start("up", stores_file=str(stores), **elsewhere)
    wait_for(lambda: is_ready(run))
    assert not run.end_all()
    assert stores.read_text() == "# mine\n[stores]\n"
    assert "token" not in run.output


def test_with_port_0_up_knows_the_port(start: Start, elsewhere: dict[str, str]) -> None:
    run = start("up", **elsewhere)
    wait_for(lambda: is_ready(run))
    http: Any = urllib3.PoolManager(retries=False)
    assert http.request("GET", url_of(run, "Send beacons to")).status == 405
    assert http.request("GET", url_of(run, "See the dashboard at")).status == 200
    assert "See what is wrong" not in run.output


def test_explain_is_served_on_request(start: Start, elsewhere: dict[str, str]) -> None:
    run = start("up", "--explain", **elsewhere)
    wait_for(lambda: is_ready(run))
    http: Any = urllib3.PoolManager(retries=False)
    page = http.request("GET", url_of(run, "See what is wrong with them at"))
    assert page.status == 200


def test_a_process_that_dies_later_is_restarted_on_the_same_port(
    start: Start, elsewhere: dict[str, str]
) -> None:
    run = start("up", **elsewhere)
    wait_for(lambda: is_ready(run))
    run.child("pipeline ingest").kill()
    wait_for(lambda: "ingest was killed by signal 9" in run.errors)
    http: Any = urllib3.PoolManager(retries=False)
    url = url_of(run, "Send beacons to")

    def answers() -> bool:
        try:
            return bool(http.request("OPTIONS", url).status == 204)
        except urllib3.exceptions.HTTPError:
            return False

    wait_for(answers)


def test_the_configured_number_of_workers_runs(start: Start, elsewhere: dict[str, str]) -> None:
    run = start("up", workers="2", **elsewhere)
    wait_for(lambda: is_ready(run))
    commands = [process.cmdline()[-1] for process in run.family()]
    assert sorted(commands) == ["dashboard", "ingest", "load", "worker", "worker"]


def test_a_process_that_dies_again_and_again_of_one_cause_ends_up_with_the_cause(
    start: Start, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "state").write_text("in the way of the folder")
    run = start("up", max_restarts="2", **elsewhere)
    assert run.process.wait(120) == 1
    last = run.errors.splitlines()[-1]
    assert last.startswith("ERROR worker has died 2 times in a row, at last: worker ended with")
    assert "its local state cannot be opened" in last
    asked = start("status", **elsewhere)
    asked.process.wait(60)
    assert "`pipeline up` gave up: worker has died 2 times in a row" in asked.output
