"""A machine as the runbooks know it, with the units of `ops/systemd`, in a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import systemctl

ROOT = Path(__file__).parents[1]
RUNBOOKS = ROOT / "docs" / "runbooks"
UNITS = ROOT / "ops" / "systemd"


def blocks(page: str) -> list[str]:
    """The commands of a page, in their order."""
    text = (RUNBOOKS / page).read_text()
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Machine:
    """`folder` holds what would be in /etc, /opt, /var."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, **settings: str) -> Machine:
        """With `settings` in place of those of the example, or beside them."""
        for name in ("bin", "etc", "lib", "opt", "run", "backups", "srv"):
            (folder / name).mkdir(parents=True)
        shutil.copytree(UNITS, folder / "units")
        (folder / "opt" / "pipeline-0.1.0").symlink_to(Path(sys.executable).parents[1])
        (folder / "opt" / "pipeline").symlink_to("pipeline-0.1.0")
        for name, program in {
            "sudo": 'exec "$@"',
            "systemctl": f'exec {sys.executable} {systemctl.__file__} {folder} "$@"',
        }.items():
            path = folder / "bin" / name
            path.write_text(f"#!/bin/sh\n{program}\n")
            path.chmod(0o755)
        text = (UNITS / "pipeline.env").read_text()
        for name, value in settings.items():
            line = f"PIPELINE_{name.upper()}={value}\n"
            text, changed = re.subn(
                rf"^PIPELINE_{name.upper()}=.*\n", line, text, flags=re.MULTILINE
            )
            text += "" if changed else line
        (folder / "etc" / "pipeline.env").write_text(systemctl.here(text, folder))
        return cls(folder)

    def run(self, block: str) -> str:
        """Type `block` into a shell that has the settings; returns what it prints."""
        script = systemctl.here(block, self.folder)
        done = subprocess.run(
            [
                *("bash", "-e", "-o", "pipefail", "-c"),  # the operator's own
                f"set -a; . {self.folder}/etc/pipeline.env; set +a\n{script}",
            ],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{self.folder}/bin:{self.folder}/opt/pipeline/bin:{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def said(self, unit: str) -> str:
        return (self.folder / "run" / f"{unit}.log").read_text()

    def logs(self) -> str:
        return "\n".join(
            f"== {log.name}\n{log.read_text()[-2000:]}" for log in self.folder.glob("run/*.log")
        )

    def stop(self) -> None:
        for pid in self.folder.glob("run/*.pid"):
            process = systemctl.running(self.folder, pid.stem)
            if process is not None:
                process.kill()
                process.wait(30)
