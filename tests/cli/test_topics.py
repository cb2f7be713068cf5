"""`pipeline topics` creates missing topics, lists all, reports and alters wrong settings."""

from __future__ import annotations

import re

from confluent_kafka.admin import AdminClient, NewTopic
from processes import Pipeline, Verb, wait_for

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import actual_topics, create_topics
from pipeline.topics import topics


def made_by_others(settings: Settings, **config: str) -> dict[str, str]:
    """The topic `beacons`, with a property that the pipeline would not give it."""
    ours = topics(settings).beacons
    given = {key.replace("_", "."): value for key, value in config.items()}
    topic = NewTopic(ours.name, ours.partitions, 1, config=ours.config | given)
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    admin.create_topics([topic])[ours.name].result()
    return {
        "kafka_bootstrap_servers": settings.kafka_bootstrap_servers,
        "topic_prefix": settings.topic_prefix,
    }


def test_all_are_shown(pipeline: Pipeline, settings: Settings) -> None:
    done = pipeline("topics", **made_by_others(settings))
    assert (done.returncode, done.stderr) == (0, "")
    for topic, kept in (("beacons", "7 days"), ("outcomes", "14 days"), ("rejected", "30 days")):
        line = re.search(rf"^.*{settings.topic_prefix}{topic} .*$", done.stdout, re.MULTILINE)
        assert line is not None
        for part in (kept, "delete", "16777216", "LogAppendTime"):
            assert part in line[0]


def test_wrong_settings_are_errors_and_weak_ones_warnings(
    pipeline: Pipeline, settings: Settings
) -> None:
    given = made_by_others(
        settings, max_message_bytes="100000", unclean_leader_election_enable="true"
    )
    done = pipeline("topics", **given)
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first.startswith(f"Error: topic {settings.topic_prefix}beacons has max.message.bytes=")
    assert second.startswith("Warning: ")
    assert "unclean.leader.election.enable=true" in second


def test_no_process_starts_on_topics_that_would_refuse_events(
    pipeline: Pipeline, settings: Settings
) -> None:
    given = made_by_others(settings, max_message_bytes="100000")
    assert pipeline("topics", **given).returncode == 1
    write_stores(settings.home / "home" / "stores.toml", {"s": {"tokens_sha256": [new_token()[1]]}})
    for verb in ("ingest", "worker", "load"):
        done = pipeline(verb, **given)
        assert done.returncode == 1
        assert "max.message.bytes=100000, it must be 16777216" in done.stderr
        assert done.stderr.count("\n") == 1


def kept(settings: Settings) -> list[str]:
    """Retention of each topic, as Kafka has it; the compacted one has none of its own."""
    return [topic.config["retention.ms"] for topic in actual_topics(settings)[:3]]


def test_alter_gives_topics_what_the_settings_say_and_touches_no_others(
    pipeline: Pipeline, settings: Settings
) -> None:
    other = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}other-"})
    create_topics(other)
    given = made_by_others(settings, max_message_bytes="100000") | {"outcomes_retention": "P21D"}
    assert pipeline("topics", **given).returncode == 1

    given |= {"outcomes_retention": "P7D"}
    done = pipeline("topics", "--alter", **given)
    assert (done.returncode, done.stderr) == (0, "")
    for key, before, after in (
        ("beacons", "100000", "16777216"),
        ("outcomes", "21 days", "7 days"),
    ):
        assert re.search(
            rf"{settings.topic_prefix}{key}\W+[\w.]+\W+{before}\W+{after}\W", done.stdout
        ), done.stdout
    assert kept(settings) == [str(days * 86_400_000) for days in (7, 30, 7)]
    assert kept(other) == [str(days * 86_400_000) for days in (7, 30, 14)]

    again = pipeline("topics", "--alter", **given)
    assert (again.returncode, again.stdout.splitlines()[1]) == (0, "nothing to alter")


def test_alter_changes_nothing_while_the_partitions_are_others(
    pipeline: Pipeline, settings: Settings
) -> None:
    given = made_by_others(settings, retention_ms="1000")
    assert pipeline("topics", **given).returncode == 1
    before = kept(settings)
    refused = pipeline("topics", "--alter", **given, partitions="6")
    assert refused.returncode == 1
    assert "add partitions with `pipeline partitions 6`" in refused.stderr
    assert kept(settings) == before == ["1000", *before[1:]]


def test_alter_and_adopt_exclude_each_other(pipeline: Pipeline) -> None:
    assert pipeline("topics", "--alter", "--adopt").returncode == 2


def test_a_warning_stops_nothing(pipeline: Pipeline, settings: Settings) -> None:
    given = made_by_others(settings, unclean_leader_election_enable="true")
    assert pipeline("topics", **given).returncode == 0
    worker = Verb("worker", settings)
    try:
        wait_for(lambda: "processing" in worker.said(), each=worker.assert_alive)
        assert "WARNING topic " in worker.said()
    finally:
        worker.kill()
