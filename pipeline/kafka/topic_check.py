"""What each topic must have: a refusal where events would be lost or refused, else a remark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from pipeline.topics import FOR_EVER, Topic

TOOL = "kafka-configs --alter --entity-type topics --entity-name"
RETENTION = "retention.ms"


@dataclass(frozen=True)
class Held:
    """A topic as Kafka has it; `replicas` is the smallest number of any partition."""

    name: str
    partitions: int
    replicas: int
    config: dict[str, str]

    def number(self, key: str) -> int:
        """A property that is a whole number."""
        return int(self.config[key])


@dataclass(frozen=True)
class Finding:
    """Where a topic is not as it should be; `is_refusal`: the pipeline must not run on it."""

    text: str
    is_refusal: bool


def findings(topic: Topic, held: Held, *, replication: int) -> list[Finding]:
    """All that differs and matters; `topic` and `replication` are what is wanted."""
    return [*_of_shape(topic, held, replication), *_of_config(topic, held)]


def _of_shape(topic: Topic, held: Held, replication: int) -> Iterator[Finding]:
    if held.partitions != topic.partitions:
        yield Finding(
            f"topic {held.name} has {held.partitions} partitions, not {topic.partitions}: the"
            " number is fixed once made; set PIPELINE_PARTITIONS or PIPELINE_TOPIC_PREFIX",
            is_refusal=True,
        )
    fewest = held.number("min.insync.replicas")
    if fewest > held.replicas:
        yield Finding(
            f"topic {held.name} has {held.replicas} replicas and min.insync.replicas={fewest}:"
            " Kafka would take no record",
            is_refusal=True,
        )
    if held.replicas < replication:
        yield Finding(
            f"topic {held.name} has {held.replicas} replicas, PIPELINE_REPLICATION is"
            f" {replication}: alter it with kafka-reassign-partitions",
            is_refusal=False,
        )


def _of_config(topic: Topic, held: Held) -> Iterator[Finding]:
    """Each property that the topic should have, and is held against what it has."""
    for key, rule in _RULES.items():
        wanted = topic.config.get(key, _DEFAULTS.get(key))
        why = None if wanted is None else rule.why(wanted, held.config[key])
        if why is not None:
            must = "must" if rule.is_refusal else "should"
            yield Finding(
                f"topic {held.name} has {key}={held.config[key]}, it {must} be {wanted}: {why};"
                f" alter it with `{TOOL} {held.name} --add-config {key}={wanted}`"
                + (f", or set {rule.setting}" if rule.setting else ""),
                rule.is_refusal,
            )
    if held.number("retention.bytes") != FOR_EVER and "delete" in held.config["cleanup.policy"]:
        yield Finding(
            f"topic {held.name} has retention.bytes={held.config['retention.bytes']}: Kafka would"
            " delete what was not read yet; alter it with"
            f" `{TOOL} {held.name} --add-config retention.bytes={FOR_EVER}`",
            is_refusal=True,
        )


@dataclass(frozen=True)
class _Rule:
    """`why` says what would go wrong with what is held, None where nothing would."""

    why: Callable[[str, str], str | None]
    is_refusal: bool
    setting: str = ""


def _unless_equal(why: str) -> Callable[[str, str], str | None]:
    return lambda wanted, held: None if held == wanted else why


def _unless_as_much(why: str) -> Callable[[str, str], str | None]:
    return lambda wanted, held: None if _amount(held) >= _amount(wanted) else why


def _amount(text: str) -> float:
    return float("inf") if int(text) == FOR_EVER else int(text)


_DEFAULTS = {"cleanup.policy": "delete", "unclean.leader.election.enable": "false"}
_RULES = {
    "cleanup.policy": _Rule(
        _unless_equal("Kafka would keep less than all, or all for ever"), is_refusal=True
    ),
    "message.timestamp.type": _Rule(
        _unless_equal("an event that comes late would be deleted at once"), is_refusal=True
    ),
    "max.message.bytes": _Rule(
        _unless_as_much("Kafka would refuse large records, after their 204"), is_refusal=True
    ),
    RETENTION: _Rule(
        _unless_as_much("Kafka would delete what was not read yet"),
        is_refusal=True,
        setting="the retention that is right (docs/settings.md)",
    ),
    "min.insync.replicas": _Rule(
        _unless_as_much("a 204 stands for fewer copies"),
        is_refusal=False,
        setting="PIPELINE_MIN_INSYNC_REPLICAS",
    ),
    "unclean.leader.election.enable": _Rule(
        _unless_equal("a replica that lacks acknowledged records may take over"), is_refusal=False
    ),
}


def row(held: Held) -> tuple[object, ...]:
    """A line of a table with `COLUMNS`."""
    config = held.config
    is_deleted = "delete" in config["cleanup.policy"]
    return (
        held.name,
        held.partitions,
        held.replicas,
        held.number("min.insync.replicas"),
        config["cleanup.policy"],
        _span(held.number(RETENTION)) if is_deleted else "",
        held.number("max.message.bytes"),
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


def _span(milliseconds: int) -> str:
    if milliseconds == FOR_EVER:
        return "for ever"
    return str(timedelta(milliseconds=milliseconds)).removesuffix(", 0:00:00")
