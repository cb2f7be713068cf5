"""Runs `pipeline ARGUMENTS…` as a process, forked from one that has loaded all of it.

Each run has a process of its own, as for a user: arguments, environment, output, exit code. What
costs a second of a new one, loading Python and libraries, is paid once. Root's right to pass over
file permissions is dropped, so that they hold for everyone.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import pkgutil
import resource
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

TIMEOUT = 60.0
# Of linux/prctl.h and linux/capability.h.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


class Forked:
    """The process that forks; closing it ends it."""

    def __init__(self) -> None:
        self._asked, asks = os.pipe()
        answers, self._answered = os.pipe()
        variables = {name: os.environ[name] for name in os.environ if name != "PYTHONUNBUFFERED"}
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self._asked), str(self._answered)],
            pass_fds=(self._asked, self._answered),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # block-buffered, as of a user's pipe
            env={**variables, "PYTHONPATH": os.pathsep.join(sys.path)},
            preexec_fn=_obey_permissions,  # noqa: PLW1509  # calls of libc only
        )
        os.close(self._asked)
        os.close(self._answered)
        self._asks, self._answers = os.fdopen(asks, "w"), os.fdopen(answers)

    def run(
        self,
        *arguments: str,
        cwd: Path,
        environment: dict[str, str],
        stdin: str = "",
        **how: Any,
    ) -> subprocess.CompletedProcess[str]:
        """`how`: as `_become` takes it. Raises `TimeoutError`."""
        asked = {"arguments": arguments, "cwd": str(cwd), "environment": environment, **how}
        self._asks.write(json.dumps({**asked, "stdin": stdin}) + "\n")
        self._asks.flush()
        code, out, err = json.loads(self._answers.readline())
        if code is None:
            raise TimeoutError(arguments, out, err)
        return subprocess.CompletedProcess(arguments, code, out, err)

    def close(self) -> None:
        self._asks.close()
        self._answers.close()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def forked() -> Iterator[Forked]:
    made = Forked()
    try:
        yield made
    finally:
        made.close()


def _obey_permissions() -> None:
    for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        # Fails for users who have no such right.
        _LIBC.prctl(PR_CAPBSET_DROP, right, 0, 0, 0)


_LIBC = ctypes.CDLL(None)


def _serve(asked: int, answered: int) -> bool:
    """Answer each request. Returns True in a process that is to run a command, False at the end."""
    import pipeline  # noqa: PLC0415  # by the process that forks alone

    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if "._" not in module.name:
            import_module(module.name)
    gc.freeze()  # so that no process copies what it only inherits
    with os.fdopen(asked) as requests, os.fdopen(answered, "w") as answers:
        for line in requests:
            request = json.loads(line)
            ends = [os.pipe() for _ in range(3)]
            child = os.fork()
            if child == 0:
                os.set_inheritable(asked, False)
                _become(request, ends)
                return True
            for inner in (ends[0][0], ends[1][1], ends[2][1]):
                os.close(inner)
            os.write(ends[0][1], request["stdin"].encode())
            os.close(ends[0][1])
            answers.write(json.dumps(_ended(child, ends[1][0], ends[2][0])) + "\n")
            answers.flush()
    return False


def _become(request: dict[str, Any], ends: list[tuple[int, int]]) -> None:
    """Be the process that was asked for.

    `output`: `full`, or `unread` (nobody reads the pipe); `closed`: the numbers of standard files
    that are not open; `room`: files may have at most so many bytes; `patience`: seconds to wait for
    Kafka; `interrupt_at`: Ctrl-C at that audit event of Python, that is at any moment.
    """
    os.setsid()
    output = {"full": "/dev/full"}.get(request.get("output", ""))
    files = [ends[0][0], os.open(output, os.O_WRONLY) if output else ends[1][1], ends[2][1]]
    for number, file in enumerate(files):
        os.dup2(file, number)
    for end in {end for pair in ends for end in pair}:
        os.close(end)
    if request.get("output") == "unread":
        unread, pipe = os.pipe()
        os.dup2(pipe, 1)
        os.close(unread)
        os.close(pipe)
    for number in request.get("closed", ()):
        os.close(number)
        setattr(sys, ("stdin", "stdout", "stderr")[number], None)  # as Python does
    os.umask(request.get("umask", 0o022))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["pipeline", *request["arguments"]]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as `main` sets it first of all
    if (room := request.get("room")) is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    if patience := request.get("patience"):
        from pipeline.kafka.clients import KafkaAdmin  # noqa: PLC0415

        check = KafkaAdmin.check
        KafkaAdmin.check = lambda kafka, most: check(kafka, min(most, patience))  # type: ignore[method-assign]
    if moment := request.get("interrupt_at"):
        passed = iter(range(1, moment + 1))

        def count(_event: str, _values: tuple[Any, ...]) -> None:
            if next(passed, None) == moment:
                os.kill(os.getpid(), signal.SIGINT)

        sys.addaudithook(count)


def _ended(child: int, *outputs: int) -> tuple[int | None, str, str]:
    until = time.monotonic() + TIMEOUT
    said = {output: bytearray() for output in outputs}
    code: int | None = None
    with selectors.DefaultSelector() as open_ones:
        for output in outputs:
            open_ones.register(output, selectors.EVENT_READ)
        while open_ones.get_map() and time.monotonic() < until:
            for key, _ in open_ones.select(1):
                if piece := os.read(key.fd, 65536):
                    said[key.fd] += piece
                else:
                    open_ones.unregister(key.fd)
        if open_ones.get_map():
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
        else:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for output in outputs:
        os.close(output)
    out, err = (bytes(said[output]).decode(errors="replace") for output in outputs)
    return code, out, err


def _exit_after_main() -> None:
    """Run the command, and exit as Python does, less taking all modules apart, which is slow."""
    from pipeline.__main__ import main  # noqa: PLC0415  # by the process that forks alone

    code: Any = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
        if not isinstance(code, int | None):
            print(code, file=sys.stderr)
            code = 1
    except BaseException as error:  # noqa: BLE001  # printed, as Python does
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # waits, as Python does
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    if _serve(*map(int, sys.argv[1:])):
        _exit_after_main()
    os._exit(0)  # taking apart what is frozen, libraries complain
