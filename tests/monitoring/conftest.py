"""One running pipeline for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from operated import Operated, event, operated_settings, up
from processes import wait_published

from pipeline.devstack.broker.server import Broker


@pytest.fixture(scope="package")
def running(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    settings = operated_settings(kafka, tmp_path_factory.mktemp("home"), workers=2)
    with up(settings) as started:
        for number in range(20):
            started.send(event(number, event_id=f"e{number}"))
        started.send(event(1, event_id="e1"), event(2, event_type="unknown"))
        wait_published(settings)
        yield started
