"""A user is revoked while everything runs: few log lines, one of which names the cause."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from typing import Any

import urllib3
from certificates import LEAVING, REAUTHENTICATION, Secured
from processes import Verb, wait_for

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics

PASSWORD = "of-the-one-that-leaves"
# Kafka's clients try several times a second.
WATCHED_SECONDS = 12


def lines_of(verb: Verb) -> list[str]:
    """Its output, without the parts that differ between lines of one kind."""
    text = re.sub(r'"time":"[^"]*"', "", verb.said())
    return [re.sub(r"\d+", "0", line) for line in text.splitlines()]


def send(ingest: Verb, token: str) -> int:
    """The answer to one event."""
    found = re.search(r"ingest: (\S+)", ingest.said())
    assert found is not None
    event = {"event_type": "search", "timestamp": "2099-01-01T00:00:00Z", "session_id": "s"}
    body = json.dumps({"events": [{**event, "query": ""}]})
    http: Any = urllib3.PoolManager(retries=False)
    headers = {"x-storefront-access-token": token}
    return int(http.request("POST", found[1], body=body, headers=headers).status)


def test_each_problem_is_one_line(settings: Settings, secured: Secured) -> None:
    secured.add_user(LEAVING, PASSWORD)
    password = settings.home / "theirs"
    password.write_text(PASSWORD)
    theirs = {"kafka_sasl_username": LEAVING, "kafka_sasl_password_file": password}
    settings = settings.model_copy(update=theirs)
    create_topics(settings)
    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest]}})
    running = [Verb(verb, settings) for verb in ("ingest", "worker", "load")]
    ingest, worker, load = running
    try:
        wait_for(lambda: "Kafka acknowledges" in ingest.said(), each=ingest.assert_alive)
        wait_for(lambda: "processing" in worker.said(), each=worker.assert_alive)
        wait_for(lambda: "loading" in load.said(), each=load.assert_alive)
        before = {verb: len(lines_of(verb)) for verb in running}
        secured.remove_user(LEAVING)
        time.sleep(REAUTHENTICATION)
        # Only a process that sends notices.
        assert send(ingest, token) == 204
        time.sleep(WATCHED_SECONDS)
        for verb in running:
            print(verb.verb, *lines_of(verb)[before[verb] :], sep="\n")
        for verb in running:
            assert "".join(lines_of(verb)).count(f"rejects user {LEAVING} ") == 1
        for verb in running:
            said = lines_of(verb)[before[verb] :]
            assert "Traceback" not in verb.said()
            assert max(Counter(said).values(), default=0) <= 1, said
            assert len(said) < WATCHED_SECONDS, said
            assert PASSWORD not in verb.said()
    finally:
        for verb in running:
            verb.kill()
