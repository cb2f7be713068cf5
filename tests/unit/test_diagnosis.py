"""Whether Kafka can be used is asked until it can, whatever goes wrong meanwhile."""

from __future__ import annotations

import asyncio
import logging

import pytest

from pipeline.delivery import health
from pipeline.kafka.errors import KafkaUnusableError


def test_whatever_a_check_raises_it_is_made_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "RETRY_SECONDS", 0)
    errors = [KafkaUnusableError("Kafka is away"), RuntimeError("never seen before")]
    problems = []

    def check() -> None:
        problems.append(diagnosis.problem)
        if errors:
            raise errors.pop(0)

    diagnosis = health.Diagnosis(check)
    with caplog.at_level(logging.ERROR, logger=health.log.name):
        asyncio.run(diagnosis.wait_until_usable())
    assert problems == ["", "Kafka is away", "RuntimeError: never seen before"]
    assert diagnosis.problem == ""
    assert [record.exc_info is not None for record in caplog.records] == [False, True]
