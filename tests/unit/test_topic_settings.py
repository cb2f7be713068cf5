"""Which differences of a topic are accepted, remarked, or refused."""

from __future__ import annotations

from pipeline.config import Settings
from pipeline.kafka.topic_check import ActualTopic, alterations, findings, row
from pipeline.topics import Topic, topics

DEFAULTS = {"retention.bytes": "-1", "unclean.leader.election.enable": "false"}


def wanted(replication: int = 3) -> Topic:
    return topics(Settings(_env_file=None, replication=replication)).beacons


def actual(*, partitions: int = 4, replicas: int = 3, **config: str) -> ActualTopic:
    """A topic as it should be, except for `config`: `retention_ms` is Kafka's `retention.ms`."""
    given = {key.replace("_", "."): value for key, value in config.items()}
    same = {"cleanup.policy": "delete", **DEFAULTS, **wanted().config}
    return ActualTopic("beacons", partitions, replicas, same | given)


def findings_of(found: ActualTopic) -> list[tuple[str, bool]]:
    return compared(wanted(), found)


def compared(topic: Topic, found: ActualTopic) -> list[tuple[str, bool]]:
    these = findings(topic, found, replication=3)
    return [(one.text, one.is_refusal) for one in these]


def test_a_topic_as_it_should_be_has_no_finding() -> None:
    assert findings_of(actual()) == []


def test_more_in_sync_replicas_than_replicas_is_a_remark() -> None:
    ((first, is_refusal), (second, is_second)) = findings_of(actual(replicas=1))
    assert (is_refusal, is_second) == (False, False)
    assert (
        "min.insync.replicas=2: Kafka accepts records only while each of them is in sync" in first
    )
    assert "has 1 replicas, PIPELINE_REPLICATION is 3" in second


def test_more_than_is_needed_has_no_finding() -> None:
    more = {"retention_ms": "604800001", "max_message_bytes": "16777217"}
    assert findings_of(actual(replicas=5, min_insync_replicas="3", **more)) == []
    assert findings_of(actual(retention_ms="-1")) == []


def test_a_weaker_promise_is_a_remark() -> None:
    for config in (
        {"min_insync_replicas": "1"},
        {"unclean_leader_election_enable": "true"},
    ):
        ((text, is_refusal),) = findings_of(actual(**config))
        assert not is_refusal, text


def changelog_findings(**config: str) -> list[tuple[str, bool]]:
    topic = topics(Settings(_env_file=None, replication=3)).changelog
    given = {key.replace("_", "."): value for key, value in config.items()}
    found = ActualTopic("changelog", 4, 3, {**DEFAULTS, **topic.config, **given})
    return compared(topic, found)


def test_a_changelog_that_is_compacted_sooner_has_no_finding() -> None:
    assert changelog_findings() == []
    sooner = {"segment_bytes": "16777216", "min_cleanable_dirty_ratio": "0.1"}
    assert changelog_findings(**sooner, delete_retention_ms="86400001") == []


def test_a_changelog_that_is_compacted_later_is_a_remark() -> None:
    for key, value in (
        ("min.cleanable.dirty.ratio", "0.5"),
        ("segment.bytes", "1073741824"),
        ("max.compaction.lag.ms", "9223372036854775807"),
    ):
        ((text, is_refusal),) = changelog_findings(**{key.replace(".", "_"): value})
        assert not is_refusal
        assert f"{key}={value}, it should be" in text


def test_a_changelog_that_drops_tombstones_sooner_than_local_states_rely_on_is_refused() -> None:
    ((text, is_refusal),) = changelog_findings(delete_retention_ms="86399999")
    assert is_refusal
    assert "delete.retention.ms=86399999, it must be 86400000" in text


def test_a_limit_on_bytes_is_refused() -> None:
    ((text, is_refusal),) = findings_of(actual(retention_bytes="1000000"))
    assert is_refusal
    assert "retention.bytes=1000000, it must be -1" in text
    assert "`pipeline topics --alter`" in text


def test_a_time_is_less_than_for_ever() -> None:
    config = {**wanted().config, "retention.ms": "-1"}
    for_ever = Topic("beacons", 4, is_by_device=True, config=config)
    assert [is_refusal for _, is_refusal in compared(for_ever, actual())] == [True]


def test_a_finding_names_the_command_that_alters_the_topic() -> None:
    ((text, is_refusal),) = findings_of(actual(max_message_bytes="100000"))
    assert is_refusal
    assert "max.message.bytes=100000, it must be 16777216" in text
    assert "`pipeline topics --alter`" in text


def altered(found: ActualTopic) -> dict[str, tuple[str, str]]:
    return {each.key: (each.before, each.after) for each in alterations(wanted(), found)}


def test_what_a_setting_decides_is_altered_in_both_directions() -> None:
    for before in ("1", "604800001", "-1"):
        assert altered(actual(retention_ms=before)) == {"retention.ms": (before, "604800000")}
    assert altered(actual(min_insync_replicas="3")) == {"min.insync.replicas": ("3", "2")}


def test_what_is_wrong_is_altered_and_what_is_better_than_needed_stays() -> None:
    assert altered(actual()) == altered(actual(max_message_bytes="16777217")) == {}
    assert altered(
        actual(max_message_bytes="1", retention_bytes="5", cleanup_policy="compact")
    ) == {
        "cleanup.policy": ("compact", "delete"),
        "max.message.bytes": ("1", "16777216"),
        "retention.bytes": ("5", "-1"),
    }


def test_no_more_replicas_are_asked_to_be_in_sync_than_there_are() -> None:
    assert altered(actual(replicas=1, min_insync_replicas="1")) == {}
    assert altered(actual(replicas=1)) == {"min.insync.replicas": ("2", "1")}


def test_the_table_shows_readable_durations() -> None:
    assert row(actual())[5:] == ("7 days", 16777216, "LogAppendTime")
    assert row(actual(retention_ms="-1"))[5] == "for ever"
    assert row(actual(retention_ms="5400000"))[5] == "1:30:00"
    assert row(actual(cleanup_policy="compact"))[5] == ""
