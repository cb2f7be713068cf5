"""Each process as its own user, with exactly the rights that docs/operating.md names."""

from __future__ import annotations

import json
import re
from typing import Any

import urllib3
from certificates import Secured
from processes import Verb, wait_for

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics
from pipeline.kafka.topic_sizes import topic_bytes
from pipeline.status import status
from pipeline.topics import group, topics


def of_user(settings: Settings, secured: Secured, name: str) -> Settings:
    secured.add_user(name, f"secret-of-{name}")
    file = settings.home / name
    file.write_text(f"secret-of-{name}")
    changed = {"kafka_sasl_username": name, "kafka_sasl_password_file": file}
    return settings.model_copy(update=changed)


def test_the_documented_rights_are_sufficient(settings: Settings, secured: Secured) -> None:
    create_topics(settings)
    ours = topics(settings)
    users = {verb: of_user(settings, secured, verb) for verb in ("ingest", "worker", "load")}
    for verb in users:
        for topic in ours.all():
            secured.allow(verb, topic.name, "DESCRIBE", "DESCRIBE_CONFIGS")
    for topic in (ours.beacons, ours.rejected):
        secured.allow("ingest", topic.name, "WRITE")
    secured.allow("worker", ours.beacons.name, "READ")
    secured.allow("worker", ours.changelog.name, "READ", "WRITE")
    secured.allow("worker", ours.outcomes.name, "WRITE")
    secured.allow_group("worker", group(settings))
    for topic in (ours.outcomes, ours.rejected):
        secured.allow("load", topic.name, "READ")

    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest]}})
    running = [Verb(verb, own) for verb, own in users.items()]
    try:
        ingest = running[0]
        wait_for(lambda: "Kafka acknowledges" in ingest.said(), seconds=60)
        found = re.search(r"ingest: (\S+)", ingest.said())
        assert found is not None
        event = {"event_type": "search", "query": "", "session_id": "s"}
        body = {"events": [{**event, "timestamp": "2099-01-01T00:00:00Z"}, event]}
        headers = {"x-storefront-access-token": token}
        http: Any = urllib3.PoolManager(retries=False)
        sent = http.request("POST", found[1], body=json.dumps(body), headers=headers)
        assert sent.status == 204
        wait_for(lambda: status(settings).published == 2, seconds=60)
        assert topic_bytes(users["load"], ours.changelog) == {}
        for verb in running:
            assert verb.stop() == 0, verb.said()
    finally:
        for verb in running:
            verb.kill()
        for verb in running:
            print(verb.verb, verb.said())


def test_a_missing_right_is_one_line(settings: Settings, secured: Secured) -> None:
    create_topics(settings)
    stranger = of_user(settings, secured, "stranger")
    for topic in topics(settings).all():
        secured.allow("stranger", topic.name, "DESCRIBE")
    for right, said in (
        ("", "would not describe the configuration of topic"),
        ("DESCRIBE_CONFIGS", "rejects user stranger (GroupAuthorizationFailedError)"),
    ):
        for topic in topics(settings).all():
            if right:
                secured.allow("stranger", topic.name, right)
        worker = Verb("worker", stranger, f"worker{right}")
        try:
            assert worker.process is not None
            assert worker.process.wait(60) == 1
        finally:
            worker.kill()
        assert said in worker.said().splitlines()[-1]
        assert "Traceback" not in worker.said()
