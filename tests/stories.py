"""Random shopping, as records of several partitions: near every bound of every rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from factories import MINUTE, MORNING, Log, make_event
from hypothesis import strategies as st

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules

# Minutes; the bounds are those of the rules in conftest: gap 30, lateness 60, lookback 120.
NEAR_BOUNDS = [0, 1, 10, 29, 30, 31, 59, 60, 61, 90, 119, 120, 121, 150, 181, 240, 300]
TOKENS = [None, "red", "blue"]
PRODUCTS = [1, 2]
ORDERS = [None, "A", "B"]


@dataclass(frozen=True)
class Step:
    """One record of one device, or the bound of a transaction."""

    device: int
    events: list[dict[str, Any]]


@dataclass(frozen=True)
class Story:
    """Steps in the order of the log; a commit after each index in `commits`.

    The warehouse is made when those before `begins` are no longer in the log.
    """

    partitions: int
    steps: list[Step]
    commits: list[int]
    repeats: list[int]
    begins: int


@st.composite
def moments(draw: st.DrawFn) -> int:
    """Milliseconds since the morning."""
    return draw(st.sampled_from(NEAR_BOUNDS)) * MINUTE + draw(st.sampled_from([-1, 0, 0, 0, 1]))


@st.composite
def lines(draw: st.DrawFn) -> list[dict[str, Any]]:
    return draw(
        st.lists(
            st.fixed_dictionaries(
                {"product_id": st.sampled_from(PRODUCTS)},
                optional={
                    "price": st.sampled_from(["10", "0.3333", "99.99"]),
                    "quantity": st.integers(1, 3),
                    "attribution_token": st.sampled_from(["red", "blue"]),
                },
            ),
            min_size=1,
            max_size=3,
        )
    )


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(
            ["search", "product_impression", "product_click", "add_to_cart", "purchase", "refund"]
        )
    )
    fields: dict[str, Any] = {
        "session_id": draw(st.sampled_from(["s1", "s2"])),
        # Few ids: repeats, and the same id over another content. None: the content is the id.
        "event_id": draw(st.sampled_from([None, "e1", "e2", "e3", "e4"])),
        "attribution_token": draw(st.sampled_from(TOKENS)),
        "product_id": draw(st.sampled_from(PRODUCTS)),
    }
    if kind == "product_click":
        fields["position"] = 1
    if kind in ("purchase", "refund"):
        fields["order_id"] = draw(st.sampled_from(ORDERS))
        fields["currency"] = draw(st.sampled_from(["USD", "JPY"]))
        if draw(st.booleans()):
            fields |= {"items": draw(lines()), "product_id": None}
    if kind == "refund":
        fields |= {"order_id": "A", "refund_id": draw(st.sampled_from([None, "R"]))}
    return make_event(kind, ms=draw(moments()), **fields)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    steps = draw(
        st.lists(
            st.builds(Step, st.integers(0, 3), st.lists(events(), min_size=1, max_size=3)),
            min_size=1,
            max_size=14,
        )
    )
    index = st.integers(0, len(steps) - 1)
    bounds = st.lists(index, max_size=4)
    begins = draw(st.one_of(st.just(0), index))
    return Story(draw(st.integers(1, 8)), steps, draw(bounds), draw(bounds), begins)


def told(story: Story, rules: Rules) -> list[Outcome]:
    """The outcomes of all steps, in order of arrival, each of its device's partition."""
    logs = [Log(rules, number) for number in range(story.partitions)]
    return [
        logs[step.device % story.partitions].send(
            *step.events,
            device=f"d:{step.device}",
            received_at=MORNING + 24 * 60 * MINUTE,
            is_bot=step.device == 3,
        )
        for step in story.steps
    ]
