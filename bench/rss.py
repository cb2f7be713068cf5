"""Private memory of every process of `pipeline up`, by minute, under steady traffic over HTTP.

    python bench/rss.py [--minutes 10] [--rate 300] [--devices 200000]

Devices come in visits of four requests with three events each, 500 visits at a time, at the time
of sending. The figures are MiB that are anonymous and private to a process: pages of files that it
maps are the kernel's to take back. The last line says by how much each grew in the second half, in
MiB a minute: a process that keeps nothing for ever comes to rest.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from random import Random
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped]
from http_load import open_
from http_requests import request
from restart import MEBIBYTE, private_memory

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.first_store import make_first_store

AT_A_TIME, REQUESTS_OF_A_VISIT = 500, 4
CONNECTIONS = 32
VERBS = ("kafka.Kafka", "pipeline ingest", "pipeline worker", "pipeline load", "pipeline dashboard")
SECONDS = 60


def body(device: int, number: int) -> bytes:
    """A view, a click with a token and a cart, of now."""
    common = {
        "session_id": f"{device:032x}",
        "device_id": f"{device << 64:032x}",
        "timestamp": round(time.time() * 1000),
        "product_id": number % 1000,
    }
    kinds = ("product_view", "product_click", "add_to_cart")
    token = {"attribution_token": f"{device:080x}"}
    events = [
        {**common, "event_type": kind, "event_id": f"{number}-{kind}"} | (token if place else {})
        for place, kind in enumerate(kinds)
    ]
    return json.dumps({"events": events}).encode()


def visits(token: str, devices: int) -> Iterator[bytes]:
    """Requests of devices at random, which take turns; it never ends."""
    draw = Random(1)  # noqa: S311  # no secret
    active: list[list[int]] = []
    number = 0
    while True:
        while len(active) < AT_A_TIME:
            active.append([draw.randrange(devices), REQUESTS_OF_A_VISIT])
        visit = draw.choice(active)
        visit[1] -= 1
        if not visit[1]:
            active.remove(visit)
        number += 1
        yield request(token, body(visit[0], number))


def memory_of(up: psutil.Process) -> dict[str, float]:
    """MiB by process; those of one kind are added up."""
    found = dict.fromkeys(VERBS, 0.0)
    for process in up.children(recursive=True):
        try:
            command = " ".join(process.cmdline())
            for verb in VERBS:
                if verb in command and "watchdog" not in command:
                    found[verb] += private_memory(process.pid) / MEBIBYTE
        except (psutil.Error, FileNotFoundError, ValueError):
            continue  # a copy of a snapshot that has ended meanwhile
    return found


def is_ready(port: int) -> bool:
    """Whether ingest says so."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def row(name: str, values: dict[str, float]) -> None:
    """A line of the table."""
    print(f"{name:>12}" + "".join(f"{value:>20,.1f}" for value in values.values()), flush=True)


def main() -> None:
    """Start, load, look."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=int, default=10)
    arguments.add_argument("--rate", type=float, default=300)
    arguments.add_argument("--devices", type=int, default=200_000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), free_port()
        token = make_first_store(Settings(home=home).stores)
        assert token is not None
        given = {
            "PIPELINE_HOME": folder,
            "PIPELINE_INGEST_PORT": str(port),
            "PIPELINE_ADMIN_PORT": str(free_port()),
            "PIPELINE_DASHBOARD_PORT": str(free_port()),
        }
        with (home / "output").open("wb") as output:
            up = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "up"],
                env={**os.environ, **given},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            while not is_ready(int(given["PIPELINE_ADMIN_PORT"])):
                assert up.poll() is None, (home / "output").read_text()
                time.sleep(0.5)
            load = threading.Thread(
                target=open_,
                args=(port, visits(token, options.devices)),
                kwargs={
                    "connections": CONNECTIONS,
                    "seconds": (options.minutes + 1) * SECONDS,
                    "rate": options.rate,
                },
                daemon=True,
            )
            load.start()
            begun = time.monotonic()
            print(" " * 12 + "".join(f"{verb.split()[-1]:>20}" for verb in VERBS))
            seen = []
            for minute in range(options.minutes + 1):
                time.sleep(max(0.0, begun + minute * SECONDS - time.monotonic()))
                seen.append(memory_of(psutil.Process(up.pid)))
                row(f"minute {minute}", seen[-1])
                assert load.is_alive(), (home / "output").read_text()
            half = len(seen) // 2
            minutes = max(1, len(seen) - 1 - half)
            row("MiB a minute", {v: (seen[-1][v] - seen[half][v]) / minutes for v in VERBS})
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(120)


if __name__ == "__main__":
    main()
