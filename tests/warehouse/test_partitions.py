"""Partitions added in the middle of random histories: exact at every transaction after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from factories import DAY, HOUR
from strategies import Run, Sent, Step, Story, answered, gathered, records_of, with_erasures
from stream_log import PartitionLog
from warehouse_fixture import RULES, TIGHT, Warehouse

from pipeline.domain.identity import record_key
from pipeline.domain.outcomes import Outcome
from pipeline.domain.reached import KnownKeys, Reached, unread
from pipeline.domain.rules import Rules
from pipeline.kafka.partitioner import home
from pipeline.stream.checkpoint import Checkpoint
from pipeline.warehouse.rebuild.begin_anew import GoOn
from pipeline.warehouse.rebuild.partitions import grow
from pipeline.warehouse.retention import derived

# Of the parts of the stories, and how many partitions there are from each one on.
SHIFTS = (0, 0, 3 * HOUR, 29 * HOUR, 60 * HOUR)
NUMBERS = (4, 6, 6, 7, 7)
FEW = Rules(
    gap=timedelta(minutes=30),
    lookback=timedelta(minutes=60),
    lateness=timedelta(minutes=60),
    most_keys=3,
)

# Sessions with events of several partitions.
CROSSING = """
    SELECT count(*) FROM (
        SELECT session_key
        FROM sessions JOIN events USING (store_id, device_key, session_id)
        WHERE occurred_at BETWEEN started_at AND ended_at
        GROUP BY session_key
        HAVING count(DISTINCT events.partition) > 1
    )
"""


@dataclass
class Town:
    """Stores whose devices share partitions, as on Kafka."""

    rules: Rules
    stories: list[Story]
    logs: list[PartitionLog] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add(NUMBERS[0])

    def add(self, partitions: int) -> None:
        for number in range(len(self.logs), partitions):
            begun = Checkpoint(
                offset=0, stream_time=None, topic_id="topic", rules=self.rules.digest()
            )
            self.logs.append(PartitionLog(self.rules, number, commit=begun, all=self.logs))

    def send(self, record: Sent, partitions: int) -> None:
        self.logs[home(record.key, partitions)].append(*record)

    def next_part(self, part: int, *, transactions: int) -> Iterator[list[Outcome]]:
        """A part of all stories in so many transactions; some records are sent again.

        Some come from an ingest that does not know yet how many partitions there are.
        """
        former = NUMBERS[max(0, part - 1)]
        for turn, (number, step) in enumerate(self._steps(part)):
            store = f"story-{number}"
            for record in records_of(step, store=store, timezone=self.stories[number].timezone):
                self.send(record, former if turn % 3 == 0 else len(self.logs))
                self.sent.append(record)
            if turn % 4 == 0:
                self.send(self.sent[turn * 7919 % len(self.sent)], len(self.logs))
        outcomes = answered(self.logs, [Run(40, "commit"), Run(15, "states"), Run(30, "restart")])
        size = len(outcomes) // transactions + 1
        for begin in range(0, len(outcomes), size):
            yield outcomes[begin : begin + size]

    def _steps(self, part: int) -> Iterator[tuple[int, Step]]:
        longest = max(len(story.steps) for story in self.stories)
        for turn in range(longest):
            for number, story in enumerate(self.stories):
                share = len(story.steps) / len(SHIFTS)
                place = round(part * share) + turn
                if place < round((part + 1) * share):
                    yield number, shifted(story.steps[place], SHIFTS[part])

    def grow(
        self, partitions: int, reached: dict[int, Reached], known: list[KnownKeys], eras: int
    ) -> list[Outcome]:
        """Begin anew with more partitions; what a paused worker of before still writes."""
        paused = [log.assigned() for log in self.logs]
        begun = list(self.logs)
        for number, log in enumerate(self.logs):
            log.append(*self.sent[number])
        self.add(partitions)
        for log in self.logs:
            log.begin_anew(
                self.rules,
                reached.get(log.number) or unread(reached.values()),
                [
                    one
                    for one in known
                    if home(record_key(one.store_id, one.device_key), partitions) == log.number
                ],
                adoptions=eras,
            )
        found: list[Outcome] = []
        for log, partition in zip(begun, paused, strict=True):
            seen = len(log.outcomes)
            commit = log.commit
            partition.partitions = len(begun)
            log.run(partition, until="states")
            log.commit = commit
            found += log.outcomes[seen:]
        return found


def shifted(step: Step, shift: int) -> Step:
    events = [{**event, "ms": event["ms"] + shift} for event in step.events]
    until = None if step.erases_until is None else step.erases_until + shift
    return msgspec.structs.replace(
        step,
        events=events,
        ahead=-DAY if step.ahead is None and shift else step.ahead,
        erases_until=until,
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("rules", "loaded", "expires"),
    [
        pytest.param(RULES, "all", False, id="roomy"),
        pytest.param(TIGHT, "some", True, id="tight, old days go"),
        pytest.param(FEW, "some", False, id="few keys", marks=pytest.mark.long),
    ],
)
def test_every_transaction_after_partitions_are_added_is_exact(
    tmp_path: Path, rules: Rules, loaded: str, *, expires: bool, every: int, long: bool
) -> None:
    path = tmp_path / "live.duckdb"
    random = Random(9)  # noqa: S311  # the same each time
    town = Town(rules, [with_erasures(story, random) for story in gathered(40, number=51)])
    warehouse = Warehouse(path, rules)
    left: list[Outcome] = []
    expired_days = crossing = 0

    def stream(reached: dict[int, Reached], _: str, eras: int) -> GoOn:
        return lambda known: left.extend(town.grow(number, reached, list(known), eras))

    for part, number in enumerate(NUMBERS):
        if number > len(town.logs):
            warehouse.connection.close()
            assert grow(path, rules, stream=stream)
            warehouse = Warehouse(path, rules, keep=True)
            assert warehouse.broken() == {}
            assert left
            warehouse.load_of_any_era(left)
        turns = list(town.next_part(part, transactions=8 if long else 5))
        if loaded == "some" and part + 1 < len(NUMBERS) and NUMBERS[part + 1] > number:
            turns, unread_turns = turns[:3], turns[3:]
            left += [outcome for turn in unread_turns for outcome in turn]
        for at, turn in enumerate(turns):
            warehouse.load_of_any_era(turn)
            if at % every == 0:
                assert warehouse.broken() == {}
        assert warehouse.broken() == {}
        crossing += warehouse.rows(CROSSING)[0][0]
        while expires and derived.expire(
            warehouse.connection, rules.lateness, partitions=len(town.logs)
        ):
            expired_days += 1
            assert warehouse.broken() == {}
    assert bool(expired_days) == expires
    assert warehouse.come_back() == []
    moved = "SELECT count(*) FROM (SELECT 1 FROM events GROUP BY store_id, device_key"
    assert warehouse.rows(f"{moved} HAVING count(DISTINCT partition) > 1)")[0][0] > 20
    assert crossing > 0
    assert warehouse.rows("SELECT count(*) FROM events WHERE NOT is_late")[0][0] > 50
    assert warehouse.rows("SELECT count(*) FROM duplicates")[0][0] > 50
    warehouse.connection.close()
