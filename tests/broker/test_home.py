"""The folder and the port of a broker, without one."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.devstack.broker.data_directory import PORTS, DataDirectory, free_port
from pipeline.devstack.broker.jars import BrokerError

HOLD = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_kafka_on_the_same_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "logs" / ".lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(BrokerError, match="a Kafka already runs on"):
            DataDirectory(tmp_path, patience=0.1)
        holder.kill()
    DataDirectory(tmp_path, patience=0.1).release()


def test_the_lock_file_of_a_dead_process_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1\n")
    DataDirectory(tmp_path).release()


def test_a_taken_port_of_the_last_start_is_replaced(tmp_path: Path) -> None:
    home = DataDirectory(tmp_path)
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        taken = listener.getsockname()[1]
        (tmp_path / "port").write_text(f"{taken}\n")
        port = home.port(0)
    home.release()
    assert port != taken
    assert (tmp_path / "port").read_text() == f"{port}\n"


def test_a_damaged_port_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("eight thousand\n")
    home = DataDirectory(tmp_path)
    assert home.port(0) in PORTS
    home.release()
