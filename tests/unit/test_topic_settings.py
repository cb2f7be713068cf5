"""What Kafka may have otherwise, and what it may not."""

from __future__ import annotations

from pipeline.config import Settings
from pipeline.kafka.topic_check import Held, findings, row
from pipeline.topics import Topic, topics

DEFAULTS = {"retention.bytes": "-1", "unclean.leader.election.enable": "false"}


def wanted(replication: int = 3) -> Topic:
    return topics(Settings(_env_file=None, replication=replication)).beacons


def held(*, partitions: int = 4, replicas: int = 3, **config: str) -> Held:
    """A topic as it should be, but for what is given: `retention_ms` is Kafka's `retention.ms`."""
    given = {key.replace("_", "."): value for key, value in config.items()}
    same = {"cleanup.policy": "delete", **DEFAULTS, **wanted().config}
    return Held("beacons", partitions, replicas, same | given)


def said(found: Held) -> list[tuple[str, bool]]:
    return [(one.text, one.is_refusal) for one in findings(wanted(), found, replication=3)]


def test_what_is_as_it_should_be_needs_no_word() -> None:
    assert said(held()) == []


def test_more_copies_to_wait_for_than_there_are_would_refuse_all() -> None:
    ((first, is_refusal), (second, is_second)) = said(held(replicas=1))
    assert (is_refusal, is_second) == (True, False)
    assert "min.insync.replicas=2: Kafka would take no record" in first
    assert "has 1 replicas, PIPELINE_REPLICATION is 3" in second


def test_more_than_is_wanted_needs_no_word() -> None:
    more = {"retention_ms": "604800001", "max_message_bytes": "16777217"}
    assert said(held(replicas=5, min_insync_replicas="3", **more)) == []
    assert said(held(retention_ms="-1")) == []


def test_less_of_what_only_weakens_a_promise_is_a_remark() -> None:
    for config in (
        {"min_insync_replicas": "1"},
        {"unclean_leader_election_enable": "true"},
    ):
        ((text, is_refusal),) = said(held(**config))
        assert not is_refusal, text


def test_a_bound_on_bytes_would_lose_events() -> None:
    ((text, is_refusal),) = said(held(retention_bytes="1000000"))
    assert is_refusal
    assert "--add-config retention.bytes=-1" in text


def test_for_ever_is_held_against_a_time() -> None:
    for_ever = Topic("beacons", 4, {**wanted().config, "retention.ms": "-1"})
    found = findings(for_ever, held(), replication=3)
    assert [one.is_refusal for one in found] == [True]


def test_a_line_says_how_to_alter_it() -> None:
    ((text, is_refusal),) = said(held(max_message_bytes="100000"))
    assert is_refusal
    assert "max.message.bytes=100000, it must be 16777216" in text
    assert "--entity-name beacons --add-config max.message.bytes=16777216" in text


def test_a_table_shows_spans_as_people_read_them() -> None:
    assert row(held())[5:] == ("7 days", 16777216, "LogAppendTime")
    assert row(held(retention_ms="-1"))[5] == "for ever"
    assert row(held(retention_ms="5400000"))[5] == "1:30:00"
    assert row(held(cleanup_policy="compact"))[5] == ""
