from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline import kafka_admin
from pipeline.broker.home import free_port
from pipeline.config import Settings
from pipeline.kafka_admin import (
    KafkaUnusableError,
    check_topics,
    committed_offsets,
    create_topics,
    end_offsets,
    topic_ids,
)
from pipeline.topics import topics


@pytest.fixture
def bootstrap(settings: Settings) -> str:
    return settings.kafka_bootstrap_servers


@pytest.fixture
def admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap})


@pytest.fixture
def delete(
    admin: AdminClient, eventually: Callable[[Callable[[], bool]], None]
) -> Callable[[str], None]:
    """Deletes a topic; the broker learns of it a little after the controller."""

    def begin(name: str) -> None:
        admin.delete_topics([name])[name].result()
        eventually(lambda: name not in admin.list_topics(timeout=10).topics)

    return begin


def test_topics_are_made_once_and_pass_the_check(settings: Settings, bootstrap: str) -> None:
    names = [topic.name for topic in topics(settings).all()]
    assert sorted(create_topics(settings, bootstrap)) == sorted(names)
    assert create_topics(settings, bootstrap) == []
    check_topics(settings, bootstrap)


def test_only_what_is_missing_is_made(
    settings: Settings, bootstrap: str, delete: Callable[[str], None]
) -> None:
    names = [topic.name for topic in topics(settings).all()]
    create_topics(settings, bootstrap)
    delete(names[0])
    with pytest.raises(KafkaUnusableError, match=f"no topic {names[0]}: run `pipeline topics`"):
        check_topics(settings, bootstrap)
    assert create_topics(settings, bootstrap) == names[:1]


def test_topics_that_were_never_made_are_refused(settings: Settings, bootstrap: str) -> None:
    with pytest.raises(KafkaUnusableError, match="run `pipeline topics` first"):
        check_topics(settings, bootstrap)


def test_another_number_of_partitions_is_refused(settings: Settings, bootstrap: str) -> None:
    create_topics(settings, bootstrap)
    other = settings.model_copy(update={"partitions": 3})
    with pytest.raises(KafkaUnusableError, match="beacons has 4 partitions, not 3"):
        check_topics(other, bootstrap)


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
    ],
)
def test_a_topic_on_which_the_promises_would_not_hold_is_refused(
    settings: Settings, bootstrap: str, admin: AdminClient, name: str, config: dict[str, str]
) -> None:
    topic = getattr(topics(settings), name)
    wrong = NewTopic(topic.name, topic.partitions, 1, config=topic.config | config)
    admin.create_topics([wrong])[topic.name].result()
    create_topics(settings, bootstrap)
    ((key, value),) = config.items()
    with pytest.raises(KafkaUnusableError, match=f"topic {topic.name} has {key}={value}"):
        check_topics(settings, bootstrap)


def test_more_replicas_than_brokers_is_one_line(settings: Settings, bootstrap: str) -> None:
    wide = settings.model_copy(update={"replication": 3})
    with pytest.raises(KafkaUnusableError, match=r"would not make topic .*beacons.*replicat"):
        create_topics(wide, bootstrap)


def test_a_topic_made_anew_has_another_id(
    settings: Settings, bootstrap: str, delete: Callable[[str], None]
) -> None:
    name = topics(settings).beacons.name
    create_topics(settings, bootstrap)
    first = topic_ids(bootstrap, [name])
    assert topic_ids(bootstrap, [name]) == first
    delete(name)
    create_topics(settings, bootstrap)
    assert topic_ids(bootstrap, [name])[name] not in {*first.values(), ""}


def test_the_id_of_a_topic_that_is_not_there_is_one_line(bootstrap: str) -> None:
    with pytest.raises(KafkaUnusableError, match="would not describe topic nothing"):
        topic_ids(bootstrap, ["nothing"])


def test_offsets_tell_how_far_the_topic_and_its_readers_are(
    settings: Settings, bootstrap: str
) -> None:
    create_topics(settings, bootstrap)
    beacons, group = topics(settings).beacons, f"{settings.topic_prefix}readers"
    producer = Producer({"bootstrap.servers": bootstrap})
    for _ in range(3):
        producer.produce(beacons.name, b"x", partition=2)
    assert producer.flush(30) == 0
    assert end_offsets(bootstrap, beacons) == {0: 0, 1: 0, 2: 3, 3: 0}

    assert committed_offsets(bootstrap, group, beacons) == {}
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(beacons.name, 2, 2)], asynchronous=False)
    consumer.close()
    assert committed_offsets(bootstrap, group, beacons) == {2: 2}


def test_a_broker_that_is_not_there_is_one_line_with_its_address(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_admin, "SECONDS", 0.5)
    nobody = f"127.0.0.1:{free_port()}"
    with pytest.raises(KafkaUnusableError, match=f"{nobody} does not answer .*: start it") as told:
        check_topics(settings, nobody)
    assert "\n" not in str(told.value)
