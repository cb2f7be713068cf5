"""The worker without Kafka: the rules applied to one partition's records, in memory."""

from __future__ import annotations

from pipeline.domain.device import Device, forget
from pipeline.domain.outcomes import Origin, Outcome
from pipeline.domain.process import horizon_at, process, read
from pipeline.domain.rules import Rules


class MemoryWorker:
    """Processes the records of one partition of `beacons`; nothing survives it."""

    def __init__(self, rules: Rules, partition: int = 0, *, topic_id: str = "local") -> None:
        self.rules = rules
        self.partition = partition
        self.topic_id = topic_id
        self.devices: dict[bytes, Device] = {}
        self.stream_time: int | None = None
        self.offset = 0
        self._digest = rules.digest()

    def process(self, key: bytes, value: bytes, *, appended_at: int) -> Outcome:
        """The outcome of the next record. `appended_at` is Kafka's append time in epoch ms."""
        outcome = process(
            read(value, appended_at=appended_at),
            self.devices.setdefault(key, Device()),
            key=key,
            origin=Origin(self.topic_id, self.partition, self.offset),
            stream_time=self.stream_time,
            rules=self.rules,
            digest=self._digest,
            horizon=horizon_at(self.stream_time, self.rules),
        )
        self.offset += 1
        self.stream_time = outcome.stream_time_after
        return outcome

    def forget(self) -> None:
        """Drop what no rule needs any more (D4)."""
        if self.stream_time is None:
            return
        horizon = self.stream_time - self.rules.lateness_ms
        for key, device in list(self.devices.items()):
            forget(device, horizon=horizon, rules=self.rules)
            if device.is_empty():
                del self.devices[key]
