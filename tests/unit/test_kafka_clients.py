"""A client of a Kafka that is away: processes ask it for days, and collect garbage seldom."""

from __future__ import annotations

import subprocess
import sys

from pipeline.devstack.broker.data_directory import free_port

# In a process of its own: clients of other tests make and end threads whenever they like.
ASK_TWICE = """
import gc, sys, time
from pathlib import Path
from pipeline.config import Settings
from pipeline.kafka.clients import KafkaAdmin
from pipeline.kafka.errors import KafkaAwayError

def librdkafka_threads():
    found = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found.append((task / "comm").read_text())
        except FileNotFoundError:
            continue  # it has just ended
    return [name for name in found if name.startswith("rdk:")]

gc.disable()
away = Settings(_env_file=None, kafka_bootstrap_servers=sys.argv[1])
for _ in range(2):
    try:
        KafkaAdmin(away, patience=0.1)
    except KafkaAwayError:
        continue
    sys.exit("there is no Kafka")
until = time.monotonic() + 60
while librdkafka_threads():
    if time.monotonic() > until:
        sys.exit(f"left behind: {librdkafka_threads()}")
    time.sleep(0.1)
"""


def test_it_leaves_no_thread_behind() -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = subprocess.run(
        [sys.executable, "-c", ASK_TWICE, address], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
