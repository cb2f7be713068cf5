"""Random shopping, as records of several partitions: near every bound of every rule.

A story is plain data: it can be written to a file, loaded again, and made smaller (`shrink.py`).
"""

from __future__ import annotations

from random import Random
from typing import Any, Literal, NamedTuple
from zlib import crc32

import msgspec
from factories import DAY, HOUR, MINUTE, MORNING, SENDERS
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from stream_log import PartitionLog

from pipeline.domain.erasure import erasure
from pipeline.domain.events import CLOCK_TOLERANCE_MS
from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.ingest.accept import accept
from pipeline.ingest.sender import Sender

# Minutes; the bounds are those of the rules in house.py (gap 30, lateness 60, lookback 120) and of
# blended counts (2, 10).
NEAR_BOUNDS = [0, 1, 2, 10, 29, 30, 31, 59, 60, 61, 90, 119, 120, 121, 150, 181, 240, 300]
TOKENS = [None, "red", "blue"]
PRODUCTS = [1, 2]
# What a partition may number at most, so that stories loaded together stay apart.
MOST_PARTITIONS = 8
NAMELESS, EACH = 4, -1

Death = Literal["outcomes", "states", "commit", "restart"]


class Step(msgspec.Struct):
    """One record of one device: its events, `ms` of each after the morning.

    It is received a day later, or, where `ahead` is given, so many ms before its last event. With
    `erases_until` it has no events, and erases its device up to so many ms after the morning, or
    of it `erased_customer`.
    """

    device: int
    events: list[dict[str, Any]]
    sender: str = "visitor"
    is_trusted: bool = False
    needs_confirmation: bool = False
    ahead: int | None = None
    erases_until: int | None = None
    erased_customer: str | None = None


class Run(msgspec.Struct):
    """A worker takes `records` of its partition; where it dies, or that it goes on."""

    records: int
    until: Death


class Story(msgspec.Struct):
    """Steps in the order of the log, each on its device's partition.

    Workers take them by `runs`, over and over; the loader commits after every `commits` outcomes,
    over and over. The warehouse is made when each partition's first `begins` records are gone.
    """

    partitions: int
    steps: list[Step]
    runs: list[Run]
    commits: list[int]
    begins: int
    timezone: str = "UTC"


def moments() -> st.SearchStrategy[int]:
    """Milliseconds since the morning."""
    return st.builds(
        lambda minute, ms: minute * MINUTE + ms,
        st.sampled_from(NEAR_BOUNDS),
        st.sampled_from([0, 0, 0, -1, 1]),
    )


PRICES = ["10", "0.3333", "99.99", "0.01"]
LINE = st.fixed_dictionaries(
    {"product_id": st.sampled_from(PRODUCTS)},
    optional={
        "price": st.sampled_from(PRICES),
        "quantity": st.integers(1, 3),
        "variant_id": st.sampled_from([5, 6]),
        "attribution_token": st.sampled_from(["red", "blue"]),
    },
)
COMMON = {
    "ms": moments(),
    # The last says nothing: the device stands for it, or the event is refused (I3).
    "session_id": st.sampled_from(["s1", "s1", "s2", "s2", "undefined"]),
    # Few ids: repeats, and the same id over another content. None: the content is the id.
    "event_id": st.sampled_from([None, "e1", "e2", "e3", "e4", "null"]),
    "attribution_token": st.sampled_from(TOKENS),
}
PRODUCT = st.sampled_from(PRODUCTS)
POSITION = st.integers(1, 3)
CURRENCY = st.sampled_from(["USD", "JPY", "KWD"])


def _kind(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"event_type": st.just(name), **COMMON, **fields})


def _lines(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An order of one product, or of several lines."""
    bought = {"currency": CURRENCY, **fields}
    return st.one_of(
        _kind(name, **bought, product_id=PRODUCT, price=st.sampled_from([None, *PRICES])),
        _kind(name, **bought, items=st.lists(LINE, min_size=1, max_size=3)),
    )


EVENTS = st.one_of(
    _kind("search", query=st.sampled_from(["shoes", "hats"])),
    _kind("collection_view", collection_handle=st.sampled_from(["sale", "new"])),
    _kind("block_view", block_id=st.sampled_from(["top", "side"])),
    _kind("product_impression", product_id=PRODUCT, position=POSITION),
    _kind("product_click", product_id=PRODUCT, position=POSITION),
    _kind("add_to_cart", product_id=PRODUCT),
    _lines("purchase", order_id=st.sampled_from(["A", "A", "A", "B", None, "undefined"])),
    _lines("refund", order_id=st.sampled_from(["A", "B"]), refund_id=st.sampled_from([None, "R"])),
)
RUNS = st.builds(
    Run,
    st.integers(1, 4),
    st.sampled_from(["commit", "commit", "commit", "restart", "states", "outcomes"]),
)
STORIES = st.builds(
    Story,
    st.integers(1, MOST_PARTITIONS),
    st.lists(
        st.builds(
            Step,
            st.integers(0, NAMELESS),
            st.lists(EVENTS, min_size=1, max_size=3),
            st.sampled_from(["visitor", "visitor", "visitor", "bot", "server", "prefetch"]),
            st.sampled_from([False, False, True]),
            st.booleans(),
            # Around the bounds of T3.
            st.sampled_from([None, None, None, 0, 5 * MINUTE, 5 * MINUTE + 1, 26 * HOUR, DAY * 2]),
        ),
        min_size=2,
        max_size=14,
    ),
    st.lists(RUNS, min_size=1, max_size=4),
    st.lists(st.integers(1, 8), min_size=1, max_size=3),
    st.sampled_from([0, 0, 0, 1, 2]),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]),
)


def gathered(count: int, *, number: int) -> list[Story]:
    """`count` random stories, the same for the same `number`."""
    stories: list[Story] = []

    @seed(number)
    @given(STORIES)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def gather(story: Story) -> None:
        stories.append(story)

    gather()
    return stories


def transactions_of(story: Story, rules: Rules, *, number: int = 0) -> list[list[Outcome]]:
    """What the loader takes in each transaction, as workers that die leave it on `outcomes`.

    `number` keeps stories apart that one warehouse holds: by store, and by partition.
    """
    store = f"story-{number}"
    topics = [
        PartitionLog(rules, number * MOST_PARTITIONS + partition)
        for partition in range(story.partitions)
    ]
    for step in story.steps:
        for record in records_of(step, store=store, timezone=story.timezone):
            topics[crc32(record.key) % story.partitions].append(*record)
    outcomes = [o for o in answered(topics, story.runs) if o.origin.offset >= story.begins]
    batches, turn = [], 0
    while outcomes:
        size = story.commits[turn % len(story.commits)]
        batches.append(outcomes[:size])
        outcomes, turn = outcomes[size:], turn + 1
    return batches


def with_erasures(story: Story, random: Random) -> Story:
    """The story with erasures in it: of a device, or of a customer on all devices."""
    for step in story.steps:
        for event in step.events:
            event["customer_id"] = random.choice([None, "ann", "ben"])
    for _ in range(random.randint(1, 3)):
        until = random.choice(NEAR_BOUNDS) * MINUTE
        customer = random.choice([None, "ann"])
        device = EACH if customer else random.randint(0, NAMELESS)
        step = Step(device, [], erases_until=until, erased_customer=customer)
        story.steps.insert(random.randint(0, len(story.steps)), step)
        if customer:
            # Or the record of one device may be missing, and that of another be there.
            story.begins = 0
    return story


def keys_of(device: int) -> list[str]:
    """The device keys (I1) under which events of a story's device may stand."""
    if device == EACH:
        return [key for one in range(NAMELESS + 1) for key in keys_of(one)]
    return ["s:s1", "s:s2"] if device == NAMELESS else [f"d:{device}"]


class Sent(NamedTuple):
    """A record of `beacons`, and when Kafka appended it (ms)."""

    key: bytes
    value: bytes
    appended_at: int = MORNING * 2


def records_of(step: Step, *, store: str, timezone: str) -> list[Sent]:
    """What ingest makes of a step's request, one record per device; or what erases its device."""
    if step.erases_until is not None:
        at = MORNING + step.erases_until
        asked = [
            erasure(store, device, received_at=at, customer=step.erased_customer)
            for device in keys_of(step.device)
        ]
        return [Sent(*record, at - 2 * CLOCK_TOLERANCE_MS) for record in asked]
    events = [_wire(event, step.device) for event in step.events]
    last = MORNING + max(event["ms"] for event in step.events)
    accepted = accept(
        msgspec.json.encode({"events": events}),
        sender=Sender(
            store,
            may_backfill=True,
            timezone=timezone,
            is_trusted=step.is_trusted,
            needs_confirmation=step.needs_confirmation and not step.is_trusted,
        ),
        request=SENDERS[step.sender],
        is_app=False,
        received_at=MORNING + DAY if step.ahead is None else last - step.ahead,
    )
    return [Sent(*record) for record in accepted.records]


def _wire(event: dict[str, Any], device: int) -> dict[str, Any]:
    """An event as a store sends it. The last device names none: its reports count last (A9)."""
    named = {} if device == NAMELESS else {"device_id": f"{device}"}
    event = {name: value for name, value in {**named, **event}.items() if value is not None}
    return {"timestamp": MORNING + event.pop("ms"), **event}


def answered(topics: list[PartitionLog], runs: list[Run]) -> list[Outcome]:
    """Outcomes as they are acknowledged, again where a worker died before its commit."""
    found: list[Outcome] = []
    workers = [topic.assigned() for topic in topics]
    # A run that dies before its commit is done again: the third attempt lives.
    deaths = [0] * len(topics)
    turn = 0
    while any(topic.commit.offset < len(topic.beacons) for topic in topics):
        number = turn % len(topics)
        topic, run = topics[number], runs[turn % len(runs)]
        turn += 1
        until = run.until if deaths[number] < 2 else "commit"
        seen = len(topic.outcomes)
        topic.run(workers[number], run.records, until="commit" if until == "restart" else until)
        found += topic.outcomes[seen:]
        if until == "commit":
            deaths[number] = 0
        else:
            deaths[number] += until != "restart"
            workers[number] = topic.assigned()
    return found
