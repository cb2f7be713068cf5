"""The configuration and commands of a Kafka node: broker and controller, on 127.0.0.1 only."""

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
# After a kill the controller refuses the broker until its old session expires: 9 s by default.
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

# 260 MB, against 304 MB with the JVM's defaults. A young collection stops all requests for 3.5 ms,
# whatever its size; with Java's default for so small a heap it would come five times a second.
HEAP = ("-Xms128m", "-Xmx512m", "-Xmn96m", "-XX:+UseSerialGC")
# Java's second compiler takes most of a core for twenty seconds. After that Kafka costs a third
# less: 34 % of a core instead of 52 % at 1,157 records a second, a typical day.
BRIEF = ("-XX:TieredStopAtLevel=1",)


@dataclass(frozen=True)
class Node:
    """A node with its files under `folder`, run by `java` from `jars`.

    `is_lasting` means that it runs for hours rather than seconds. `more` are properties that
    replace or extend ours.
    """

    folder: Path
    java: Path
    jars: list[Path]
    is_lasting: bool = False
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Kafka's log: warnings and worse, at most 24 MB."""
        return self.folder / "broker.log"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def configure(self, *, logs: Path, port: int, controller: int) -> None:
        """Write the configuration, and format `logs` once."""
        (self.folder / "log4j2.properties").write_text(_LOG4J.format(log=_escaped(self.log)))
        self._properties.write_text(
            _PROPERTIES.format(port=port, controller=controller, logs=_escaped(logs))
            # Of two lines for a property the later one counts.
            + "".join(f"{name}={value}\n" for name, value in self.more.items())
        )
        # Kafka writes this file last.
        if not (logs / "meta.properties").exists():
            self.format(base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("="))

    def format(self, identifier: str) -> None:
        """Format the log for a cluster with that id (22 characters)."""
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
            raise BrokerError(f"Kafka's log cannot be formatted: {last_error(done.stderr)}")

    def command(self) -> list[str]:
        """The command that runs Kafka. After `configure`."""
        return self._java("kafka.Kafka", str(self._properties))

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            # In the C locale Java could not open a path such as /home/josé.
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
    # Java reads property files as Latin-1, with the same escapes as JSON.
    return json.dumps(str(path))[1:-1]


def last_error(text: str) -> str:
    """The last line of Java's output that names an error; without one, the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # A stack trace does not help a user.
    relevant = [line for line in lines if not line.startswith(("at ", "... "))]
    errors = [line for line in relevant if "Exception: " in line or "Error: " in line]
    return (errors or relevant or ["no output"])[-1].removeprefix("Caused by: ")
