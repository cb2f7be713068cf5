from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from processes import wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.kafka.admin import (
    actual_topics,
    check_topics,
    committed_offsets,
    create_topics,
    end_offsets,
    topic_findings,
    topic_ids,
)
from pipeline.kafka.errors import (
    KafkaAwayError,
    KafkaUnusableError,
    MissingTopicError,
    UnfitTopicError,
)
from pipeline.kafka.topic_sizes import topic_bytes
from pipeline.topics import topics


@pytest.fixture
def admin(settings: Settings) -> AdminClient:
    return AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})


@pytest.fixture
def delete(admin: AdminClient) -> Callable[[str], None]:
    """Deletes a topic; the broker learns of it a little after the controller."""

    def begin(name: str) -> None:
        admin.delete_topics([name])[name].result()
        wait_for(lambda: name not in admin.list_topics(timeout=10).topics)

    return begin


def test_topics_are_made_once_and_pass_the_check(settings: Settings) -> None:
    names = [topic.name for topic in topics(settings).all()]
    assert sorted(create_topics(settings)) == sorted(names)
    assert create_topics(settings) == []
    check_topics(settings)


def test_only_what_is_missing_is_made(settings: Settings, delete: Callable[[str], None]) -> None:
    names = [topic.name for topic in topics(settings).all()]
    create_topics(settings)
    delete(names[0])
    with pytest.raises(KafkaUnusableError, match=f"no topic {names[0]}: run `pipeline topics`"):
        check_topics(settings)
    assert create_topics(settings) == names[:1]


def test_topics_that_were_never_made_are_refused(settings: Settings) -> None:
    with pytest.raises(MissingTopicError, match="run `pipeline topics` first"):
        check_topics(settings)


def test_another_number_of_partitions_is_refused(settings: Settings) -> None:
    create_topics(settings)
    other = settings.model_copy(update={"partitions": 3})
    with pytest.raises(KafkaUnusableError, match="beacons has 4 partitions, not 3"):
        check_topics(other)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("beacons", {"cleanup.policy": "compact"}),
        ("beacons", {"cleanup.policy": "compact,delete"}),
        ("outcomes", {"cleanup.policy": "compact"}),
        ("changelog", {"cleanup.policy": "delete"}),
        ("beacons", {"message.timestamp.type": "CreateTime"}),
        ("outcomes", {"message.timestamp.type": "CreateTime"}),
        ("rejected", {"message.timestamp.type": "CreateTime"}),
        ("beacons", {"max.message.bytes": "100000"}),
        ("rejected", {"max.message.bytes": "16777215"}),
        ("outcomes", {"max.message.bytes": "1048588"}),
        ("changelog", {"max.message.bytes": "1048588"}),
        ("changelog", {"delete.retention.ms": "86399999"}),
        ("beacons", {"retention.ms": "86400000"}),
        ("outcomes", {"retention.ms": "86400000"}),
        ("rejected", {"retention.ms": "2591999999"}),
    ],
)
def test_a_topic_on_which_the_promises_would_not_hold_is_refused(
    settings: Settings, admin: AdminClient, name: str, config: dict[str, str]
) -> None:
    topic = getattr(topics(settings), name)
    wrong = NewTopic(topic.name, topic.partitions, 1, config=topic.config | config)
    admin.create_topics([wrong])[topic.name].result()
    create_topics(settings)
    ((key, value),) = config.items()
    with pytest.raises(UnfitTopicError, match=f"topic {topic.name} has {key}={value}"):
        check_topics(settings)


def test_more_replicas_than_brokers_is_one_line(settings: Settings) -> None:
    wide = settings.model_copy(update={"replication": 3})
    with pytest.raises(KafkaUnusableError, match=r"would not create topic .*beacons.*replicat"):
        create_topics(wide)


def test_longer_retention_and_larger_records_are_no_trouble(
    settings: Settings, admin: AdminClient
) -> None:
    beacons = topics(settings).beacons
    more = {"retention.ms": "-1", "max.message.bytes": "20000000", "min.insync.replicas": "1"}
    made = NewTopic(beacons.name, beacons.partitions, 1, config=beacons.config | more)
    admin.create_topics([made])[beacons.name].result()
    create_topics(settings)
    assert topic_findings(settings, actual_topics(settings)) == []


def test_the_settings_of_a_company_are_those_of_its_topics(settings: Settings) -> None:
    theirs = settings.model_copy(
        update={
            "beacons_retention": timedelta(days=3),
            "outcomes_retention": timedelta(0),
            "rejected_retention": timedelta(hours=1),
        }
    )
    create_topics(theirs)
    check_topics(theirs)
    with pytest.raises(UnfitTopicError, match=r"beacons has retention\.ms=259200000"):
        check_topics(settings)
    kept = {one.name: one.config["retention.ms"] for one in actual_topics(theirs)}
    ours = topics(theirs)
    assert [kept[one.name] for one in (ours.beacons, ours.outcomes, ours.rejected)] == [
        *("259200000", "-1", "3600000")
    ]


def test_more_copies_to_wait_for_than_there_are_is_refused(settings: Settings) -> None:
    eager = settings.model_copy(update={"min_insync_replicas": 2})
    with pytest.raises(KafkaUnusableError, match="is more than PIPELINE_REPLICATION"):
        create_topics(eager)


def test_more_copies_to_wait_for_than_a_topic_has_is_a_remark_and_kafka_takes_records(
    settings: Settings, admin: AdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    beacons = topics(settings).beacons
    eager = {**beacons.config, "min.insync.replicas": "2"}
    made = NewTopic(beacons.name, beacons.partitions, 1, config=eager)
    admin.create_topics([made])[beacons.name].result()
    create_topics(settings)
    check_topics(settings)
    assert "beacons has 1 replicas and min.insync.replicas=2" in caplog.text
    delivered: list[object] = []
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers, "acks": "all"})
    producer.produce(beacons.name, b"x", on_delivery=lambda error, _: delivered.append(error))
    assert producer.flush(30) == 0
    assert delivered == [None]


def test_fewer_copies_than_wanted_is_a_remark_and_no_refusal(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    create_topics(settings)
    wide = settings.model_copy(update={"replication": 3})
    check_topics(wide)
    assert "beacons has 1 replicas, PIPELINE_REPLICATION is 3" in caplog.text
    # More in-sync replicas than there are would be asked for in vain.
    assert "min.insync.replicas" not in caplog.text


def test_a_topic_made_anew_has_another_id(
    settings: Settings, delete: Callable[[str], None]
) -> None:
    name = topics(settings).beacons.name
    create_topics(settings)
    first = topic_ids(settings, [name])
    assert topic_ids(settings, [name]) == first
    delete(name)
    create_topics(settings)
    assert topic_ids(settings, [name])[name] not in {*first.values(), ""}


def test_the_id_of_a_topic_that_is_not_there_is_one_line(settings: Settings) -> None:
    with pytest.raises(KafkaUnusableError, match="would not describe topic nothing"):
        topic_ids(settings, ["nothing"])


def test_offsets_tell_how_far_the_topic_and_its_readers_are(settings: Settings) -> None:
    create_topics(settings)
    beacons, group = topics(settings).beacons, f"{settings.topic_prefix}readers"
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for _ in range(3):
        producer.produce(beacons.name, b"x", partition=2)
    assert producer.flush(30) == 0
    assert end_offsets(settings, beacons) == {0: 0, 1: 0, 2: 3, 3: 0}

    assert committed_offsets(settings, group, beacons) == {}
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": group})
    consumer.commit(offsets=[TopicPartition(beacons.name, 2, 2)], asynchronous=False)
    consumer.close()
    assert committed_offsets(settings, group, beacons) == {2: 2}


def test_bytes_of_a_topic_are_those_of_each_partition(settings: Settings) -> None:
    create_topics(settings)
    changelog = topics(settings).changelog
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})
    producer.produce(changelog.name, b"x" * 100_000, b"key", partition=2)
    assert producer.flush(30) == 0
    # Kafka makes the folder of each partition soon after the topic.
    wait_for(lambda: topic_bytes(settings, changelog).keys() == {0, 1, 2, 3})
    sizes = topic_bytes(settings, changelog)
    assert [number for number, size in sizes.items() if size >= 100_000] == [2]


def test_a_broker_that_is_not_there_is_one_line_with_its_address(
    settings: Settings,
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    away = settings.model_copy(update={"kafka_bootstrap_servers": nobody})
    with pytest.raises(KafkaAwayError, match=f"{nobody} does not answer .*: start it") as told:
        check_topics(away, patience=0.5)
    assert "\n" not in str(told.value)
