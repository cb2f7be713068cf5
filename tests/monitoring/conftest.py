"""One running pipeline for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from operated import Operated, event, up
from processes import wait_published

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker


@pytest.fixture(scope="package")
def running(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    settings = Settings(
        _env_file=None,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=f"t{uuid4().hex[:8]}-",
        home=tmp_path_factory.mktemp("home"),
        workers=2,
        **dict.fromkeys(("ingest_port", "admin_port", "dashboard_port", "metrics_port"), 0),
    )
    with up(settings) as started:
        for number in range(20):
            started.send(event(number, event_id=f"e{number}"))
        started.send(event(1, event_id="e1"), event(2, event_type="unknown"))
        wait_published(settings)
        yield started
