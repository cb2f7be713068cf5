"""What runbooks need of systemctl, for a machine that is a folder: no test may change a real one.

    systemctl.py FOLDER start|stop|restart|enable|enable --now|disable --now|daemon-reload UNIT…

A unit runs as its file says: command, settings, name. `FOLDER/run/UNIT.pid` and `.log` are its own.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from configparser import RawConfigParser
from contextlib import suppress
from pathlib import Path

import psutil

# Of a machine: where they are in the folder of a test.
PLACES = {
    "/etc/pipeline": "etc",
    "/etc/sudoers.d": "sudoers.d",
    "/etc/systemd/system": "units",
    "/opt/": "opt/",
    "/srv/": "srv/",
    "/var/backups": "backups",
    "/var/lib/pipeline": "lib",
}


def here(text: str, folder: Path) -> str:
    """`text` with the places of `folder`."""
    pattern = "|".join(map(re.escape, PLACES))
    return re.sub(pattern, lambda found: f"{folder}/{PLACES[found[0]]}", text)


def start(folder: Path, unit: str) -> None:
    if running(folder, unit) is not None:
        return
    name, at, instance = unit.partition("@")
    file = folder / "units" / f"{name}{at}.service"
    read = RawConfigParser(strict=False)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(file)
    service = dict(read["Service"])
    settings = [service.get("Environment", "")]
    settings += Path(here(service["EnvironmentFile"], folder)).read_text().splitlines()
    given = dict(line.split("=", 1) for line in settings if "=" in line and line[0] != "#")
    words = {"%i": instance, "%H": socket.gethostname()}
    for word, value in words.items():
        given = {key: each.replace(word, value) for key, each in given.items()}
    kept = {key: each for key, each in os.environ.items() if not key.startswith("PIPELINE_")}
    with (folder / "run" / f"{unit}.log").open("ab") as log:
        process = subprocess.Popen(
            here(service["ExecStart"], folder).split(),
            env={**kept, **{key: here(each, folder) for key, each in given.items()}},
            cwd=here(service["WorkingDirectory"], folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / "run" / f"{unit}.pid").write_text(str(process.pid))


def running(folder: Path, unit: str) -> psutil.Process | None:
    with suppress(OSError, psutil.NoSuchProcess):
        found = psutil.Process(int((folder / "run" / f"{unit}.pid").read_text()))
        if found.status() != psutil.STATUS_ZOMBIE:
            return found
    return None


def stop(folder: Path, unit: str) -> None:
    process = running(folder, unit)
    if process is not None:
        process.terminate()
        while running(folder, unit) is not None:
            with suppress(psutil.TimeoutExpired):
                process.wait(0.1)


def main(folder: Path, action: str, *units: str) -> None:
    named = [each for each in units if each != "--now"]
    if named != [*units]:
        action = {"enable": "start", "disable": "stop"}[action]
    for unit in named:
        if action in ("stop", "restart"):
            stop(folder, unit)
        if action in ("start", "restart"):
            start(folder, unit)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
