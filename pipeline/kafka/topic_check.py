"""Compares topics with what they must be; differences that lose events are refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from pipeline.topics import FOR_EVER, Topic

RETENTION = "retention.ms"
MIN_IN_SYNC = "min.insync.replicas"
ALTER = "alter it with `pipeline topics --alter`"


@dataclass(frozen=True)
class ActualTopic:
    """A topic as Kafka has it; `replicas` is the smallest number of any partition."""

    name: str
    partitions: int
    replicas: int
    config: dict[str, str]

    def number(self, key: str) -> int:
        """A property as a whole number."""
        return int(self.config[key])


@dataclass(frozen=True)
class Finding:
    """What is wrong with a topic. With an `is_refusal` the pipeline must not run."""

    text: str
    is_refusal: bool


@dataclass(frozen=True)
class Alteration:
    """A property of a topic that is to become `after`."""

    topic: str
    key: str
    before: str
    after: str

    def row(self) -> tuple[object, ...]:
        """A row of a table with `ALTERATIONS`."""
        values = [_readable(self.key, value) for value in (self.before, self.after)]
        return (self.topic, self.key, *values)


ALTERATIONS = ("topic", "property", "before", "after")


def findings(topic: Topic, actual: ActualTopic, *, replication: int) -> list[Finding]:
    """Every difference that matters between `actual` and what `topic` and `replication` ask for."""
    partitions = other_partitions(topic, actual.partitions)
    return [
        *([partitions] if partitions else []),
        *_of_replicas(actual, replication),
        *_of_config(topic, actual),
    ]


def alterations(topic: Topic, actual: ActualTopic) -> list[Alteration]:
    """What makes `actual` have no finding of a property: those of a setting exactly as it says.

    A property without a setting that is better than it must be stays.
    """
    return [
        Alteration(actual.name, key, actual.config[key], wanted)
        for key, wanted in _wanted(topic, actual).items()
        if actual.config[key] != wanted
        and (_RULES[key].setting or _RULES[key].why(wanted, actual.config[key]))
    ]


def other_partitions(topic: Topic, actual: int) -> Finding | None:
    """What is wrong with the `actual` number of partitions; None where it is that of `topic`."""
    if actual == topic.partitions:
        return None
    advice = "give PIPELINE_TOPIC_PREFIX another value"
    if topic.is_by_device:
        advice = f"set PIPELINE_PARTITIONS={actual}"
        if actual < topic.partitions:
            advice += f", or add partitions with `pipeline partitions {topic.partitions}`"
    return Finding(
        f"topic {topic.name} has {actual} partitions, not {topic.partitions}: {advice}",
        is_refusal=True,
    )


def _of_replicas(actual: ActualTopic, replication: int) -> Iterator[Finding]:
    fewest = actual.number(MIN_IN_SYNC)
    if fewest > actual.replicas:
        yield Finding(
            f"topic {actual.name} has {actual.replicas} replicas and {MIN_IN_SYNC}={fewest}:"
            " Kafka accepts records only while each of them is in sync, and before version 3.7"
            f" none; {ALTER}",
            # Nothing is lost by it: what Kafka does not accept is in the spool.
            is_refusal=False,
        )
    if actual.replicas < replication:
        yield Finding(
            f"topic {actual.name} has {actual.replicas} replicas, PIPELINE_REPLICATION is"
            f" {replication}: alter it with kafka-reassign-partitions",
            is_refusal=False,
        )


def _of_config(topic: Topic, actual: ActualTopic) -> Iterator[Finding]:
    """Properties that differ from what the topic needs."""
    for key, wanted in _wanted(topic, actual).items():
        rule = _RULES[key]
        why = rule.why(wanted, actual.config[key])
        if why is not None:
            must = "must" if rule.is_refusal else "should"
            yield Finding(
                f"topic {actual.name} has {key}={actual.config[key]}, it {must} be {wanted}: {why};"
                f" {ALTER}" + (f", or set {rule.setting}" if rule.setting else ""),
                rule.is_refusal,
            )


def _wanted(topic: Topic, actual: ActualTopic) -> dict[str, str]:
    """Each property that has a rule for this topic, in the order of `_RULES`."""
    given = {**_DEFAULTS, **topic.config}
    if "delete" in given["cleanup.policy"]:
        given["retention.bytes"] = str(FOR_EVER)
    # More than there are replicas would promise nothing more.
    given[MIN_IN_SYNC] = str(min(int(given[MIN_IN_SYNC]), actual.replicas))
    return {key: given[key] for key in _RULES if key in given}


@dataclass(frozen=True)
class _Rule:
    """`why` takes the wanted and the actual value; it says what would go wrong, None if nothing."""

    why: Callable[[str, str], str | None]
    is_refusal: bool
    setting: str = ""


def _unless_equal(why: str) -> Callable[[str, str], str | None]:
    return lambda wanted, actual: None if actual == wanted else why


def _unless_as_much(why: str) -> Callable[[str, str], str | None]:
    return lambda wanted, actual: None if _amount(actual) >= _amount(wanted) else why


def _unless_as_little(why: str) -> Callable[[str, str], str | None]:
    return lambda wanted, actual: None if _amount(actual) <= _amount(wanted) else why


def _amount(text: str) -> float:
    return float("inf") if float(text) == FOR_EVER else float(text)


_DEFAULTS = {"cleanup.policy": "delete", "unclean.leader.election.enable": "false"}
_RULES = {
    "cleanup.policy": _Rule(
        _unless_equal("Kafka would delete too much, or nothing"), is_refusal=True
    ),
    "message.timestamp.type": _Rule(
        _unless_equal("a late event would be deleted at once"), is_refusal=True
    ),
    "max.message.bytes": _Rule(
        _unless_as_much("Kafka would refuse large records, after their 204"), is_refusal=True
    ),
    RETENTION: _Rule(
        _unless_as_much("Kafka would delete records that were not read yet"),
        is_refusal=True,
        setting="the retention that is right (docs/settings.md)",
    ),
    "retention.bytes": _Rule(
        _unless_as_much("Kafka would delete records that were not read yet, however recent"),
        is_refusal=True,
    ),
    "delete.retention.ms": _Rule(
        _unless_as_much("a worker that returns would miss that a device is gone"), is_refusal=True
    ),
    **dict.fromkeys(
        ("min.cleanable.dirty.ratio", "segment.bytes"),
        _Rule(
            _unless_as_little("a worker without local state would read more than it needs"),
            is_refusal=False,
        ),
    ),
    "max.compaction.lag.ms": _Rule(
        _unless_as_little("what was erased would stay for longer"), is_refusal=False
    ),
    MIN_IN_SYNC: _Rule(
        _unless_as_much("a 204 would mean fewer copies"),
        is_refusal=False,
        setting="PIPELINE_MIN_INSYNC_REPLICAS",
    ),
    "unclean.leader.election.enable": _Rule(
        _unless_equal("a replica that lacks acknowledged records may take over"), is_refusal=False
    ),
}


def row(actual: ActualTopic) -> tuple[object, ...]:
    """A row of a table with `COLUMNS`."""
    config = actual.config
    is_deleted = "delete" in config["cleanup.policy"]
    return (
        actual.name,
        actual.partitions,
        actual.replicas,
        actual.number(MIN_IN_SYNC),
        config["cleanup.policy"],
        _span(actual.number(RETENTION)) if is_deleted else "",
        actual.number("max.message.bytes"),
        config["message.timestamp.type"],
    )


COLUMNS = (
    "topic",
    "partitions",
    "replicas",
    "min in sync",
    "cleanup",
    "retention",
    "max bytes",
    "timestamps",
)


def _readable(key: str, value: str) -> str:
    return _span(int(value)) if key.endswith(".ms") else value


def _span(milliseconds: int) -> str:
    if milliseconds == FOR_EVER:
        return "for ever"
    return str(timedelta(milliseconds=milliseconds)).removesuffix(", 0:00:00")
