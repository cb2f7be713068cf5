"""One Kafka node as files and commands: broker and controller in one JVM, on 127.0.0.1 only."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from pipeline.devstack.broker.jars import BrokerError

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
# After a kill the controller turns the broker away until its old session ends: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
log.segment.bytes=268435456
# 32 MiB of the heap instead of 128: enough for a million keys in one round of compaction.
log.cleaner.dedupe.buffer.size=33554432
"""

_LOG4J = """\
status=error
appenders=file
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={log}
appender.file.filePattern={log}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{{ISO8601}} %p %m (%c)%n
appender.file.policies.type=SizeBasedTriggeringPolicy
appender.file.policies.size=8MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
"""

# Against the JVM's own choice: 260 MB for 304. A collection of the young holds up all requests
# for 3.5 ms, however large it is: in what Java would make of so small a heap, five times a second.
HEAP = ("-Xms128m", "-Xmx512m", "-Xmn96m", "-XX:+UseSerialGC")
# Java's second compiler takes most of a core for twenty seconds. From then on Kafka costs a third
# less: 34 % of a core, and not 52, at the typical day's 1,157 records a second.
BRIEF = ("-XX:TieredStopAtLevel=1",)


@dataclass(frozen=True)
class Node:
    """A node that keeps its files under `folder` and is run by `java` from `jars`.

    `is_lasting`: for hours and not for seconds. `more` are properties in place of ours, or beside
    them.
    """

    folder: Path
    java: Path
    jars: list[Path]
    is_lasting: bool = False
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """What Kafka has to say: warnings and worse, 24 MB at most."""
        return self.folder / "broker.log"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def configure(self, *, logs: Path, port: int, controller: int) -> None:
        """Write its configuration, and format `logs` where that has never been done."""
        (self.folder / "log4j2.properties").write_text(_LOG4J.format(log=_escaped(self.log)))
        self._properties.write_text(
            _PROPERTIES.format(port=port, controller=controller, logs=_escaped(logs))
            # Of two lines for one property the later counts.
            + "".join(f"{name}={value}\n" for name, value in self.more.items())
        )
        # Kafka writes this file last.
        if not (logs / "meta.properties").exists():
            self.format(base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("="))

    def format(self, identifier: str) -> None:
        """Set the log up for a cluster of that name (22 characters); `configure` does it once."""
        done = subprocess.run(
            [
                *self._java("kafka.tools.StorageTool", "format", "--ignore-formatted"),
                # With "=": one identifier in 64 begins with "-" and would pass for an option.
                f"--cluster-id={identifier}",
                f"--config={self._properties}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BrokerError(f"Kafka's log cannot be set up: {last_words(done.stderr)}")

    def command(self) -> list[str]:
        """The server's. After `configure`."""
        return self._java("kafka.Kafka", str(self._properties))

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            # Without it Java could not open a path like /home/josé where the locale is C.
            *("env", "LC_ALL=C.UTF-8"),
            str(self.java),
            *HEAP,
            *(() if self.is_lasting else BRIEF),
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp",
            os.pathsep.join(map(str, self.jars)),
            main,
            *arguments,
        ]


def _escaped(path: Path) -> str:
    # Java reads such files as Latin-1, with the escapes that JSON has too.
    return json.dumps(str(path))[1:-1]


def last_words(text: str) -> str:
    """Of Java's output, the last line that names an error; where none does, the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # The lines of a stack trace tell a user nothing.
    told = [line for line in lines if not line.startswith(("at ", "... "))]
    errors = [line for line in told if "Exception: " in line or "Error: " in line]
    return (errors or told or ["it said nothing"])[-1].removeprefix("Caused by: ")
