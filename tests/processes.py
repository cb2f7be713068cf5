"""Processes of the pipeline that a test starts and stops."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from pydantic import SecretStr

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.process.log_lines import message_of
from pipeline.status import status

# The fixture `pipeline` of tests/cli: runs `pipeline ARGUMENTS…` and returns when it has ended.
Pipeline = Callable[..., subprocess.CompletedProcess[str]]


# Settings of ports that are free: another pipeline on this machine may have the usual ones.
FREE_PORTS = dict.fromkeys(("ingest_port", "admin_port", "dashboard_port", "metrics_port"), "0")


def messages(text: str) -> str:
    """Output of a process, its log lines as `LEVEL message` instead of JSON."""
    return "\n".join(map(message_of, text.split("\n")))


def environment(settings: Settings) -> dict[str, str]:
    """The environment variables that pass `settings` to a process."""
    variables = {}
    for name, shown in settings.model_dump(mode="json").items():
        value = getattr(settings, name)
        if name in settings.model_fields_set and value is not None:
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(shown)
            variables[f"PIPELINE_{name.upper()}"] = text
    return {**os.environ, **variables}


def run_python(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with `arguments` in the home and environment of `settings`, until it has ended."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(settings),
        cwd=settings.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def announced(process: subprocess.Popen[str], verb: str) -> tuple[str, str]:
    """The address that `pipeline VERB` logs on its piped stderr, and all that it logged so far."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if found := re.fullmatch(rf"INFO {verb}: (http\S+)", message_of(line.rstrip("\n"))):
            return found[1], said
    raise AssertionError(said)


class Verb:
    """`pipeline VERB`, with its options, as a process; its output is a file in `settings.home`."""

    def __init__(
        self,
        verb: str,
        settings: Settings,
        name: str | None = None,
        *,
        program: Sequence[str] = ("-m", "pipeline"),
    ) -> None:
        self.verb = verb
        self.program = program
        self.settings = settings
        self.output = Path(settings.home) / f"{name or verb}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.start()

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, *self.verb.split()],
                env=environment(self.settings),
                cwd=self.settings.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.starts += 1

    def keep(self) -> None:
        """Start it again if it has ended, as a supervisor does."""
        assert self.process is not None
        if self.process.poll() is not None:
            self.start()

    def assert_alive(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, self.said()

    def is_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Stop it with SIGTERM. Returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self.kill()

    def raw(self) -> str:
        """Its output, as it was written."""
        return self.output.read_text(errors="replace")

    def said(self) -> str:
        return messages(self.raw())


@contextmanager
def stopping(verbs: Sequence[Verb]) -> Iterator[None]:
    """Stop `verbs` at the end: each must exit with 0 and have printed no traceback."""
    try:
        yield
        for verb in verbs:
            # Before its end: aiokafka logs more when that meets one of its new connections.
            assert "Traceback" not in verb.said()
            assert verb.stop() == 0, verb.said()
            # Nor did a library write anything past the log, as one that finds leaks does.
            lines = verb.raw().splitlines()
            assert [line for line in lines if not line.startswith("{")] == []
    finally:
        for verb in verbs:
            verb.kill()
            print(f"{verb.verb}: {verb.said()[-2000:]}")  # shown for a failure


def wait_for(
    claim: Callable[[], bool], seconds: float = 120, each: Callable[[], None] = int
) -> None:
    """Wait until `claim` is true, calling `each` in between; fail after `seconds`."""
    until = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < until, "it never came true"
        each()
        time.sleep(0.1)


def wait_published(settings: Settings) -> None:
    """Wait until everything on Kafka is in the snapshot."""
    wait_for(lambda: status(settings).is_published)


@contextmanager
def paused(kafka: Broker) -> Iterator[None]:
    """A Kafka that hangs: connections stay open, but nothing answers."""
    assert kafka.process_id is not None
    (java,) = psutil.Process(kafka.process_id).children()
    java.suspend()
    try:
        wait_for(lambda: _is_still(java.pid))
        yield
    finally:
        java.resume()
    wait_for(lambda: _changes(kafka))


def _changes(kafka: Broker) -> bool:
    """Whether its controller answers. After a long pause that may take longer than to be read."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    topic = NewTopic(f"after-a-pause-{uuid4().hex}", 1, 1)
    (made,) = admin.create_topics([topic], request_timeout=2).values()
    with suppress(KafkaException):
        made.result()
        return True
    return False


def _is_still(process_id: int) -> bool:
    """Whether each thread stands still, which takes a while."""
    threads = Path(f"/proc/{process_id}/task").iterdir()
    with suppress(FileNotFoundError):  # one has just ended
        return all((each / "stat").read_text().rpartition(") ")[2][0] == "T" for each in threads)
    return False
