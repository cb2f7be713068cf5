"""While Kafka is unreachable the processes log each problem once, however often they retry."""

from __future__ import annotations

import re
import time
from collections import Counter
from functools import partial
from pathlib import Path

from operated import http
from processes import Verb, wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics

# Kafka's clients try several times a second.
AWAY_SECONDS = 15


def kinds(lines: list[str]) -> Counter[str]:
    """Lines without what differs between two of one kind."""
    return Counter(re.sub(r"\d+", "0", line) for line in lines)


def metrics_of(verb: Verb) -> str:
    wait_for(lambda: "metrics: " in verb.said(), each=verb.assert_alive)
    return re.findall(r"metrics: (\S+)/metrics", verb.said())[0]


def says(url: str, status: int, kafka: str) -> bool:
    answer = http.request("GET", f"{url}/readyz")
    return answer.status == status and kafka in answer.json()["kafka"]


def test_few_lines_and_no_traceback(settings: Settings, tmp_path: Path, cache: Path) -> None:
    with Broker(tmp_path / "own", cache) as broker:
        own = settings.model_copy(update={"kafka_bootstrap_servers": broker.bootstrap_servers})
        create_topics(own)
        write_stores(own.stores, {"shop": {"tokens_sha256": [new_token()[1]]}})
        running = [Verb(verb, own) for verb in ("ingest", "worker", "load")]
        ingest, worker, load = running
        try:
            wait_for(lambda: "Kafka acknowledges" in ingest.said(), each=ingest.assert_alive)
            wait_for(lambda: "processing" in worker.said(), each=worker.assert_alive)
            wait_for(lambda: "snapshot of" in load.said(), each=load.assert_alive)
            urls = {verb: metrics_of(verb) for verb in (worker, load)}
            for verb, url in urls.items():
                wait_for(partial(says, url, 200, "answers"), each=verb.assert_alive)
            before = {verb: len(verb.said().splitlines()) for verb in running}
            broker.kill()
            time.sleep(AWAY_SECONDS)
            # Each process that is still there says what it lacks.
            for verb, url in urls.items():
                if not verb.is_ended():
                    wait_for(partial(says, url, 503, "does not answer"), each=verb.assert_alive)
        finally:
            for verb in running:
                verb.kill()
    for verb in running:
        lines = verb.said().splitlines()[before[verb] :]
        print(verb.verb, *lines, sep="\n")
        assert "Traceback" not in verb.said()
        assert len(lines) < AWAY_SECONDS, lines
        assert max(kinds(lines).values(), default=0) <= 1, lines
        if verb is not ingest:  # it has nothing to send
            assert [line for line in lines if " does not answer " in line] == lines[:1]
