"""Other rules, adopted in the middle of random histories: exact at every transaction after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from zlib import crc32

import msgspec
import pytest
from factories import DAY, HOUR, MORNING, cart, click, make_event
from strategies import MOST_PARTITIONS, Step, Story, answered, gathered, records_of, with_erasures
from stream_log import PartitionLog
from warehouse_fixture import RULES, TIGHT, Warehouse

from pipeline.domain.identity import record_key
from pipeline.domain.outcomes import Outcome
from pipeline.domain.reached import KnownKeys, Reached, unread
from pipeline.domain.rules import Rules
from pipeline.stream.checkpoint import Checkpoint
from pipeline.warehouse.rebuild.adopt import adopt
from pipeline.warehouse.rebuild.begin_anew import GoOn

LONGER = Rules(
    gap=timedelta(minutes=60),
    lookback=timedelta(minutes=60),
    lateness=timedelta(minutes=180),
    most_touches=3,
)
# A click of before the adoption claims what is on time after it.
SHORTER = Rules(
    gap=timedelta(minutes=10),
    lookback=timedelta(hours=31),
    lateness=timedelta(minutes=30),
    most_touches=2,
)
# Of the parts of a story, which last five hours each: adopted after the first, the others before
# and after all that the former state could have reached.
SHIFTS = (0, 0, 3 * HOUR, 29 * HOUR, 60 * HOUR)


class Told:
    """A story with its log, whose rules change after its first part.

    The loader takes `together` times what the story says in a transaction.
    """

    def __init__(self, story: Story, number: int, rules: Rules, *, together: int) -> None:
        self.story = story
        self.together = together
        self.store = f"story-{number}"
        self.logs = [
            PartitionLog(rules, number * MOST_PARTITIONS + n, commit=begun(rules))
            for n in range(story.partitions)
        ]
        self.part = 0

    def next_part(self) -> list[list[Outcome]]:
        """The transactions of the next part of its steps."""
        steps, quarter = self.story.steps, len(self.story.steps) / len(SHIFTS)
        begin, end = round(self.part * quarter), round((self.part + 1) * quarter)
        for step in steps[begin:end]:
            moved = shifted(step, SHIFTS[self.part])
            self.send(moved)
        self.part += 1
        outcomes, batches, turn = answered(self.logs, self.story.runs), [], 0
        outcomes = [o for o in outcomes if o.origin.offset >= self.story.begins]
        while outcomes:
            size = self.together * self.story.commits[turn % len(self.story.commits)]
            batches.append(outcomes[:size])
            outcomes, turn = outcomes[size:], turn + 1
        return batches

    def send(self, step: Step) -> None:
        for record in records_of(step, store=self.store, timezone=self.story.timezone):
            self.logs[crc32(record.key) % len(self.logs)].append(*record)

    def home(self, known: KnownKeys) -> PartitionLog | None:
        """Where the device's records go; None for one of another story."""
        if known.store_id != self.store:
            return None
        return self.logs[crc32(record_key(known.store_id, known.device_key)) % len(self.logs)]

    def adopts(
        self, rules: Rules, reached: dict[int, Reached], known: list[KnownKeys]
    ) -> list[Outcome]:
        """Begin anew under `rules`; what a paused worker of the former ones still writes."""
        paused = [log.assigned() for log in self.logs]
        for log in self.logs:
            log.begin_anew(
                rules,
                reached.get(log.number) or unread(reached.values()),
                [one for one in known if self.home(one) is log],
            )
        # It has read what no one has answered yet.
        step = shifted([step for step in self.story.steps if step.events][-1], SHIFTS[1])
        self.send(step)
        found: list[Outcome] = []
        for log, partition in zip(self.logs, paused, strict=True):
            seen = len(log.outcomes)
            log.run(partition, until="states")
            found += log.outcomes[seen:]
        return found


def begun(rules: Rules) -> Checkpoint:
    return Checkpoint(offset=0, stream_time=None, topic_id="topic", rules=rules.digest())


def shifted(step: Step, shift: int) -> Step:
    events = [{**event, "ms": event["ms"] + shift} for event in step.events]
    until = None if step.erases_until is None else step.erases_until + shift
    return msgspec.structs.replace(
        step,
        events=events,
        ahead=-DAY if step.ahead is None and shift else step.ahead,
        erases_until=until,
    )


@pytest.mark.parametrize(
    ("first", "then", "loaded"),
    [
        pytest.param(RULES, LONGER, "some", id="longer-some"),
        pytest.param(RULES, SHORTER, "all", id="shorter-all"),
        pytest.param(TIGHT, RULES, "some", id="more room-some"),
        pytest.param(RULES, LONGER, "all", id="longer-all", marks=pytest.mark.long),
        pytest.param(RULES, SHORTER, "some", id="shorter-some", marks=pytest.mark.long),
        pytest.param(TIGHT, RULES, "all", id="more room-all", marks=pytest.mark.long),
    ],
)
def test_every_transaction_after_an_adoption_is_exact(
    tmp_path: Path, first: Rules, then: Rules, loaded: str, every: int, *, long: bool
) -> None:
    path = tmp_path / "live.duckdb"
    random = Random(5)  # noqa: S311  # the same each time
    stories = [with_erasures(story, random) for story in gathered(30 if long else 12, number=32)]
    told = [
        Told(one, number, first, together=1 if long else 3) for number, one in enumerate(stories)
    ]
    warehouse = Warehouse(path, first)
    turns = [one.next_part() for one in told]
    # Where not all is loaded, what is left of the first part is of a former era when it comes.
    held = [batches if loaded == "all" else batches[: len(batches) // 2] for batches in turns]
    left = [
        outcome
        for batches, part in zip(turns, held, strict=True)
        for batch in batches[len(part) :]
        for outcome in batch
    ]
    load(warehouse, held, every)
    warehouse.connection.close()

    zombies: list[Outcome] = []

    def stream(reached: dict[int, Reached], _: int) -> GoOn:
        def go_on(known: Iterator[KnownKeys]) -> None:
            keys = list(known)
            for one in told:
                zombies.extend(one.adopts(then, reached, keys))

        return go_on

    adopt(path, then, zones={}, stream=stream, progress=lambda *_: None)
    warehouse = Warehouse(path, then, keep=True)
    assert warehouse.broken() == {}
    assert zombies
    warehouse.load_of_any_era([*left, *zombies])
    for _ in SHIFTS[1:]:
        load(warehouse, [one.next_part() for one in told], every)
    assert warehouse.come_back() == []
    settled = warehouse.rows("SELECT count(*) FROM ledger WHERE missing_until IS NULL")
    assert settled[0][0] > 5
    stream_rows = warehouse.rows("SELECT count(*) FROM events WHERE NOT is_late")
    assert stream_rows[0][0] > 20
    warehouse.connection.close()


def test_repeats_of_events_before_an_adoption_are_found(tmp_path: Path) -> None:
    log = PartitionLog(RULES, commit=begun(RULES))
    event = make_event("search", 120, query="hat")
    # Late by the former rules, and not by the longer lateness of the new ones.
    old = make_event(minute=-30)
    log.send(old)
    # Two hours ahead, and on time when it is sent again.
    log.send(event, received_at=MORNING)
    # The lateness is an hour: where the first one stands now is late.
    log.send(make_event(minute=65), device="d:other")
    assert log.run(log.assigned())
    warehouse = Warehouse(tmp_path / "live.duckdb", RULES)
    warehouse.load(log.outcomes)
    warehouse.connection.close()

    def stream(reached: dict[int, Reached], _: int) -> GoOn:
        return lambda known: log.begin_anew(LONGER, reached[0], known)

    adopt(tmp_path / "live.duckdb", LONGER, zones={}, stream=stream, progress=lambda *_: None)
    log.send(event, received_at=MORNING + 2 * HOUR)
    log.send(old)
    # What the warehouse alone would take for another event.
    log.send({**event, "query": "cap", "fingerprint": "00" * 32}, received_at=MORNING + 2 * HOUR)
    assert log.run(log.assigned())
    warehouse = Warehouse(tmp_path / "live.duckdb", LONGER, keep=True)
    warehouse.load_of_any_era(log.outcomes)
    assert warehouse.rows("SELECT count(*), bool_or(is_late) FROM events") == [(3, False)]
    assert warehouse.rows("SELECT kind FROM duplicates ORDER BY ALL") == [
        ("conflict",),
        ("exact",),
        ("exact",),
    ]
    warehouse.connection.close()


def load(warehouse: Warehouse, turns: list[list[list[Outcome]]], every: int) -> None:
    """All stories' transactions, interleaved; all checks must hold after one in `every`."""
    for turn in range(count := max(map(len, turns), default=0)):
        warehouse.load_of_any_era(
            [o for batches in turns if turn < len(batches) for o in batches[turn]]
        )
        if turn % every == 0 or turn == count - 1:
            assert warehouse.broken() == {}, turn


def test_e2_what_the_new_state_does_not_know_to_be_erased_counts_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "live.duckdb"
    warehouse = Warehouse(path, RULES)
    log = PartitionLog(RULES, commit=begun(RULES))

    def loaded() -> None:
        seen = len(log.outcomes)
        log.run(log.assigned())
        warehouse.load(log.outcomes[seen:])
        assert warehouse.broken() == {}

    log.send(click(1), device="d:device")
    log.erase(400, device="d:device")  # its clock is far ahead of the log's times
    loaded()
    warehouse.connection.close()

    def stream(reached: dict[int, Reached], _: int) -> GoOn:
        return lambda known: log.begin_anew(LONGER, reached.get(0), known)

    adopt(path, LONGER, zones={}, stream=stream, progress=lambda *_: None)
    warehouse = Warehouse(path, LONGER, keep=True)
    # Longer after the adoption than anything of before would reach.
    log.send(make_event(minute=300), device="d:other")
    log.send(make_event(minute=300), device="d:other")
    loaded()
    log.send(click(390), device="d:device")
    log.send(cart(401, "token"), device="d:device")
    loaded()
    assert warehouse.rows("SELECT events FROM sessions WHERE device_key = 'd:device'") == [(1,)]
    assert warehouse.rows("SELECT match FROM conversions") == [("orphan",)]
    assert warehouse.rows("SELECT erased FROM ledger") == [(2,)]
    warehouse.connection.close()
