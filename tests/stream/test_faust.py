"""The private names of Faust that `transport.py` and `table.py` use: an upgrade may move them."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.app.base import App
from faust.streams import Stream
from faust.tables.base import Collection
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer, ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as Driver

from pipeline.stream.app import WorkerApp
from pipeline.stream.table import DeviceTable
from pipeline.stream.transport import BatchConsumer, BatchConsumerThread, BatchSchema


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_faust_is_pinned() -> None:
    assert version("faust-streaming") == "0.15.3"


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        (BatchConsumer, Consumer, "getmany"),
        (BatchConsumer, Consumer, "_new_offset"),
        (BatchConsumer, Consumer, "on_buffer_full"),
        (BatchConsumer, Consumer, "_add_gap"),
        (BatchConsumer, Consumer, "on_partitions_revoked"),
        (BatchConsumer, Driver, "_new_consumer_thread"),
        (BatchConsumerThread, AIOKafkaConsumerThread, "_commit"),
        (BatchConsumerThread, AIOKafkaConsumerThread, "_create_worker_consumer"),
        (BatchConsumerThread, AIOKafkaConsumerThread, "on_start"),
        (BatchConsumerThread, AIOKafkaConsumerThread, "seek_to_committed"),
        (BatchConsumer, ThreadDelegateConsumer, "highwaters"),
        (DeviceTable, Collection, "apply_changelog_batch"),
        (DeviceTable, Collection, "on_recovery_completed"),
        (WorkerApp, App, "_new_transport"),
    ],
)
def test_what_we_override_exists_with_the_same_parameters(
    ours: type, theirs: type, name: str
) -> None:
    assert name in vars(theirs)
    assert parameters(getattr(ours, name)) == parameters(getattr(theirs, name))


CALLED = [
    (Consumer, "_wait_next_records", ["self", "timeout"]),
    (Consumer, "perform_seek", ["self"]),
    (AIOKafkaConsumerThread, "_ensure_consumer", ["self"]),
    (Recovery, "revoke", ["self", "tp"]),
    (Collection, "_changelog_topic_name", ["self"]),
    (GroupCoordinator, "fetch_committed_offsets", ["self", "partitions"]),
    (GroupCoordinator, "_send_req", ["self", "request"]),
    (GroupCoordinator, "coordinator_dead", ["self"]),
    (Stream, "noack", ["self"]),
]


@pytest.mark.parametrize(("owner", "name", "expected"), CALLED)
def test_what_we_call_has_the_same_parameters(owner: type, name: str, expected: list[str]) -> None:
    assert parameters(getattr(owner, name)) == expected


@pytest.mark.parametrize(
    "name",
    ["_acked", "_acked_index", "_buffered_partitions", "flow_active", "_thread", "should_stop"],
)
def test_the_consumer_still_uses_these_names(name: str) -> None:
    source = inspect.getsource(inspect.getmodule(Consumer) or Consumer)
    assert f"self.{name}" in source


def test_the_fetch_wait_is_read_at_the_start() -> None:
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in inspect.getsource(AIOKafkaConsumer.start)


def test_the_offset_to_commit_comes_from_new_offset_alone() -> None:
    source = inspect.getsource(Consumer._filter_committable_offsets)  # noqa: SLF001
    assert "self._new_offset(tp)" in source


def test_the_changelog_is_restored_by_apply_changelog_batch() -> None:
    assert "apply_changelog_batch" in inspect.getsource(Recovery)


def test_a_recovery_asks_for_highwaters_before_it_seeks_to_what_the_table_lacks() -> None:
    assert "await consumer.highwaters(*tps)" in inspect.getsource(Recovery._build_highwaters)  # noqa: SLF001
    source = inspect.getsource(inspect.getmodule(Recovery) or Recovery)
    asked, offsets, sought = (
        source.index(f"T(self._{step})(\n                        consumer, {of}")
        for step, of in (
            ("build_highwaters", "assigned_active_tps, active_highwaters"),
            ("build_offsets", "assigned_active_tps, active_offsets"),
            ("seek_offsets", "assigned_active_tps, active_offsets"),
        )
    )
    assert asked < offsets < sought


def test_a_recovery_begins_again_when_it_is_asked_to() -> None:
    source = inspect.getsource(Recovery._wait)  # noqa: SLF001
    assert "self.signal_recovery_start in wait_result.done" in source
    assert "raise RebalanceAgain()" in source


def test_the_schema_is_compiled_with_keywords_only() -> None:
    from faust.serializers.schemas import Schema  # noqa: PLC0415  # next to its use

    theirs = inspect.signature(Schema.compile).parameters.values()
    assert all(p.kind is p.KEYWORD_ONLY for p in theirs if p.name not in ("self", "app"))
    assert parameters(BatchSchema.compile)[:2] == ["self", "app"]
