"""What each process of `pipeline up` costs for events of generated traffic, from HTTP to snapshot.

    python bench/sizing.py [--devices 3000]

By process: CPU seconds per million events, what share of a core it takes when nothing comes, its
private memory at the end and the largest in between. Then what `pipeline status --disk` says.
`pipeline send` sends as fast as ingest answers.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from restart import MEBIBYTE, private_memory

from pipeline.traffic import STORES

VERBS = ("kafka.Kafka", "pipeline ingest", "pipeline worker", "pipeline load", "pipeline dashboard")
QUIET = 20.0
PORTS = ("INGEST", "ADMIN", "DASHBOARD", "METRICS")


def said(*arguments: str) -> str:
    """What `pipeline ARGUMENTS…` prints."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def behind() -> int:
    """Records that the snapshot lacks."""
    return int(json.loads(said("status", "--json"))["behind"] or 0)


def cpu(process: psutil.Process) -> float:
    """Seconds that it has used."""
    return float(sum(process.cpu_times()[:2]))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=3000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["PIPELINE_HOME"] = f"{folder}/home"
        os.environ |= {f"PIPELINE_{name}_PORT": "0" for name in PORTS}
        traffic = Path(folder, "traffic.ndjson")
        traffic.write_text(said("traffic", "--devices", str(arguments.devices)))
        events = sum(len(json.loads(line)["events"]) for line in traffic.open())
        tokens = []
        for store in STORES:
            token = said("stores", "add", store, "--backfill").split()[-1]
            tokens += ["--token", f"{store}={token}"]
        output = Path(folder, "output")
        with output.open("wb") as file:
            up = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "up"], stdout=file, stderr=subprocess.DEVNULL
            )
        try:
            while "Send beacons to" not in output.read_text():
                time.sleep(0.2)
            (url,) = (
                line.split()[-1] for line in output.read_text().splitlines() if "Send " in line
            )
            processes = {
                verb: child
                for child in psutil.Process(up.pid).children(recursive=True)
                for verb in VERBS
                if verb in " ".join(child.cmdline())
            }
            before = {verb: cpu(each) for verb, each in processes.items()}
            largest = dict.fromkeys(processes, 0.0)
            sender = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "send", str(traffic), "--url", url, *tokens]
            )
            began = time.monotonic()
            while sender.poll() is None or behind() > 0:
                for verb, each in processes.items():
                    largest[verb] = max(largest[verb], private_memory(each.pid) / MEBIBYTE)
                time.sleep(1)
            print(f"{events:,} events in {time.monotonic() - began:.0f} s")
            after = {verb: cpu(each) for verb, each in processes.items()}
            time.sleep(QUIET)
            for verb, each in processes.items():
                used = (after[verb] - before[verb]) / events * 1e6
                idle = (cpu(each) - after[verb]) / QUIET
                now = private_memory(each.pid) / MEBIBYTE
                print(
                    f"{verb:<20} {used:6.1f} s/M {idle:6.1%} idle {now:6.0f} MiB now"
                    f" {largest[verb]:6.0f} at most"
                )
            print(said("status", "--disk"))
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(60)


if __name__ == "__main__":
    main()
