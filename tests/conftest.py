"""What many tests share: one real Kafka for the session, and settings of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.broker.server import Broker
from pipeline.config import Settings


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), Settings().cache) as broker:
        yield broker


@pytest.fixture
def settings(kafka: Broker, tmp_path: Path) -> Settings:
    """Topics under a prefix of the test's own, a home in its folder, a free port."""
    return Settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=f"t{uuid4().hex[:8]}-",
        partitions=4,
        home=tmp_path,
        ingest_port=0,
        dashboard_port=0,
        publish_interval=timedelta(milliseconds=200),
    )
