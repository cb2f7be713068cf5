"""Ingest that starts while Kafka is away, or its topics are missing or unfit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import urllib3
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from processes import Verb, wait_for
from records import queries_in, records_of

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.broker.server import Broker
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics
from pipeline.topics import topics

Send = Callable[[str], int]


@contextmanager
def ingest(settings: Settings) -> Iterator[tuple[Verb, Send]]:
    """A running ingest, and a function that sends it an event with a query."""
    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest]}})
    running = Verb("ingest", settings)
    http: Any = urllib3.PoolManager(retries=False)
    try:
        wait_for(lambda: "ingest: http" in running.said(), each=running.assert_alive)
        found = re.search(r"ingest: (\S+)", running.said())
        assert found is not None
        url = found[1]

        def send(query: str) -> int:
            event = {"event_type": "search", "timestamp": "2099-01-01T00:00:00Z", "session_id": "s"}
            body = json.dumps({"events": [{**event, "query": query}]})
            headers = {"x-storefront-access-token": token}
            return int(http.request("POST", url, body=body, headers=headers).status)

        yield running, send
        assert running.stop() == 0
    finally:
        running.kill()


def readiness(verb: Verb) -> str:
    """What `/readyz` reports about Kafka."""
    found = re.search(r"metrics: (\S+)/metrics", verb.said())
    assert found is not None
    return str(urllib3.PoolManager().request("GET", f"{found[1]}/readyz").json()["kafka"])


def errors(verb: Verb) -> list[str]:
    lines = [json.loads(line) for line in verb.raw().splitlines() if line.startswith("{")]
    return [line["message"] for line in lines if line["level"] == "error"]


def test_it_logs_that_kafka_is_away_and_recovers_by_itself(
    settings: Settings, tmp_path: Any, cache: Any
) -> None:
    port = free_port()
    away = settings.model_copy(
        update={
            "kafka_bootstrap_servers": f"127.0.0.1:{port}",
            "ack_timeout": timedelta(seconds=1),
        }
    )
    with ingest(away) as (running, send):
        assert send("first") == 204
        wait_for(lambda: bool(errors(running)))
        (line,) = errors(running)
        assert f"Kafka at 127.0.0.1:{port} does not answer" in line
        with Broker(tmp_path / "own", cache, port=port):
            create_topics(away)
            beacons = topics(away).beacons
            wait_for(lambda: queries_in(records_of(away, beacons)) == ["first"])


def test_a_missing_topic_is_not_reported_as_kafka_being_away(settings: Settings) -> None:
    with ingest(settings) as (running, send):
        assert send("first") == 204
        wait_for(lambda: bool(errors(running)))
        (line,) = errors(running)
        missing = f"no topic {settings.topic_prefix}beacons: run `pipeline topics` first"
        assert missing in line
        assert readiness(running) == missing
        assert "does not answer" not in running.said()
        create_topics(settings)
        beacons = topics(settings).beacons
        wait_for(lambda: queries_in(records_of(settings, beacons)) == ["first"])
        wait_for(lambda: readiness(running) == "answers")


def test_nothing_leaves_the_spool_while_the_topics_are_unfit(settings: Settings) -> None:
    """The topics are created after ingest has started: its 204s wait until they are fit."""
    ours = topics(settings).beacons
    with ingest(settings) as (running, send):
        assert send("first") == 204
        create_topics(settings.model_copy(update={"beacons_retention": timedelta(hours=1)}))
        wait_for(lambda: any("retention.ms=3600000" in line for line in errors(running)))
        assert send("second") == 204
        assert records_of(settings, ours) == []
        right = ConfigResource(ResourceType.TOPIC, ours.name, set_config=ours.config)
        admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
        admin.alter_configs([right])[right].result()
        wait_for(lambda: queries_in(records_of(settings, ours)) == ["first", "second"])
