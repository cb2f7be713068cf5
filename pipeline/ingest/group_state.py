"""How several ingest processes are, as one: see `IngestState`."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pipeline.http.response import Response
from pipeline.ingest.explain import MOST, ExplainedEvent
from pipeline.ingest.metrics import Counts, Measured, gauges_of_all
from pipeline.ingest.reports import ask

T = TypeVar("T")
Words = dict[str, str]


@dataclass(eq=False)
class Member:
    """One process, or the pause before its next start. `reports`: where it is asked."""

    reports: Path
    process: Process | None = None
    is_open: bool = False
    """Whether it takes requests."""
    read: Counts = field(default_factory=Counts)
    """What it had counted when it was last asked."""


class GroupState:
    """Of `members`, each asked over its own socket."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._gone = Counts()
        self.is_stopping = False

    def ended(self, member: Member) -> None:
        """Its process has: what it had counted stays in the sums, or they would fall."""
        self._gone.add(member.read)
        member.read = Counts()

    async def is_alive(self) -> bool:
        """Whether one takes requests, and none hangs, which would keep its share of them."""
        answers = await self._ask("alive", bool)
        return bool(answers) and all(answers)

    async def readiness(self) -> tuple[bool, Words]:
        """Ready while one of them is: it takes what comes while others start again."""
        if self.is_stopping:
            return False, {"status": "stopping"}
        asked = await self._ask("readiness", tuple[bool, Words])
        found = [each for each in asked if each is not None]
        taking = [words for is_ready, words in found if is_ready]
        ready = [words for words in taking if words["status"] == "ready"]
        is_whole = len(ready) == len(self._members)
        status = "ready" if is_whole else "degraded" if taking else "unavailable"
        said: Words = {"status": status}
        said["processes"] = f"{len(taking)} of {len(self._members)} take beacons"
        for name in ("kafka", "spool", "clock", "downstream", "stores"):
            said[name] = "; ".join(sorted({words[name] for _, words in found if name in words}))
        return bool(taking), said

    async def measured(self) -> Measured:
        """Sums, and for each gauge the sum or the worst."""
        gauges = await asyncio.gather(*map(self._read, self._members))
        total = Counts()
        for counts in (self._gone, *(member.read for member in self._members)):
            total.add(counts)
        shown = gauges_of_all(each for each in gauges if each)
        return Measured(total, {"pipeline_ingest_processes": 0, **shown})

    async def entries(self) -> list[ExplainedEvent]:
        """The last of all."""
        found = await self._ask("entries", list[ExplainedEvent])
        every = [entry for entries in found if entries for entry in entries]
        return sorted(every, key=lambda entry: entry.time, reverse=True)[:MOST]

    def refused(self, answer: Response) -> None:
        """At the address for operators; the processes count their own."""
        self._gone.malformed[answer.status] += 1

    async def _ask(self, name: str, kind: type[T]) -> list[T | None]:
        members = [member for member in self._members if member.is_open]
        return await asyncio.gather(*(ask(member.reports, name, kind) for member in members))

    async def _read(self, member: Member) -> dict[str, float]:
        process = member.process
        found = await ask(member.reports, "measured", Measured) if member.is_open else None
        if found is None or member.process is not process:
            return {}
        member.read = found.counts
        return found.gauges
