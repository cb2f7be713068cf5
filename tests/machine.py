"""A machine as the runbooks know it, with the units of `ops/systemd`, in a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import systemctl

ROOT = Path(__file__).parents[1]
RUNBOOKS = ROOT / "docs" / "runbooks"
UNITS = ROOT / "ops" / "systemd"
# Folders of a machine that only root writes.
OF_ROOT = ("opt", "units", "sudoers.d")
# Root without the right to write where its files' modes forbid it, as any other user.
AS_ANYONE = (
    ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
)
END_OF_FILE = b"\x04"
# The words of `install` without owner and group.
OWN = """
words=()
while (($#)); do case $1 in -o | -g) shift 2 ;; *) words+=("$1") && shift ;; esac; done
""".strip()


def sections(page: str) -> dict[str, list[str]]:
    """The commands of a page, in their order, by the heading above them; "" has those before."""
    parts = re.split(r"^## (.*)\n", f"## \n{(RUNBOOKS / page).read_text()}", flags=re.MULTILINE)
    return {
        title: re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def blocks(page: str, title: str | None = None) -> list[str]:
    """The commands of a page, or of the section with that title."""
    found = sections(page)
    return [*chain.from_iterable(found.values())] if title is None else found[title]


@dataclass(frozen=True)
class Machine:
    """`folder` holds what would be in /etc, /opt, /var; `more` are variables of its shells."""

    folder: Path
    more: dict[str, str] = field(default_factory=dict)

    @classmethod
    def made(cls, folder: Path, **settings: str) -> Machine:
        """With `settings` in place of those of the example, or beside them."""
        made = cls.bare(folder)
        (folder / "opt" / "pipeline" / "0.1.0").symlink_to(Path(sys.executable).parents[1])
        (folder / "opt" / "pipeline" / "current").symlink_to("0.1.0")
        made.set(**settings)
        return made

    @classmethod
    def bare(cls, folder: Path) -> Machine:
        """What the first step of `install.md` makes, for someone with more rights."""
        for name in ("bin", "run", "backups", "srv", *OF_ROOT):
            (folder / name).mkdir(parents=True)
        (folder / "ops").symlink_to(ROOT / "ops")
        made = cls(folder)
        places = " ".join(str(folder / name) for name in ("", *OF_ROOT))
        made.install("sudo", f'chmod u+w {places}; "$@"; code=$?; chmod u-w {places}; exit $code')
        made.install("useradd", "exit 0")
        # Everything in the folder belongs to who runs the test.
        made.install("install", f'{OWN}; exec {shutil.which("install")} "${{words[@]}}"')
        made.install("systemctl", f'exec {sys.executable} {systemctl.__file__} {folder} "$@"')
        made.run(blocks("install.md")[0], login="")
        return made

    def set(self, **settings: str) -> None:
        """Write `settings` into the file of settings, in place of those that it has."""
        path = self.folder / "etc" / "pipeline.env"
        text = path.read_text()
        for name, value in settings.items():
            line = f"PIPELINE_{name.upper()}={value}\n"
            text, changed = re.subn(
                rf"^PIPELINE_{name.upper()}=.*\n", line, text, flags=re.MULTILINE
            )
            text += "" if changed else line
        path.write_text(systemctl.here(text, self.folder))

    def install(self, name: str, program: str) -> None:
        """A command of the machine, as a line of the shell."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\n{program}\n")
        path.chmod(0o755)

    def run(self, block: str, login: str | None = None) -> str:
        """Type `block`, of which each command must end with 0; returns what it prints."""
        done = self.typed(block, "-e", "-o", "pipefail", login=login)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def typed(
        self, block: str, *options: str, login: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Type `block` after `login`, by default that of the README, and go on at an error.

        The shell may write where user `pipeline` may. It has a terminal, where no question gets an
        answer.
        """
        if login is None:
            (login,) = blocks("README.md")
        script = systemctl.here(f"{login}{block}", self.folder)
        terminal, shell_s = os.openpty()
        os.write(terminal, END_OF_FILE * 50)
        closed = [self.folder / name for name in ("", *OF_ROOT)]
        try:
            for each in closed:
                each.chmod(0o555)
            return subprocess.run(
                [*AS_ANYONE, "bash", *options, "-c", script],
                cwd=self.folder,
                env={**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", **self.more},
                stdin=shell_s,
                capture_output=True,
                text=True,
                check=False,
                timeout=180,
            )
        finally:
            for each in closed:
                each.chmod(0o755)
            os.close(shell_s)
            os.close(terminal)

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
