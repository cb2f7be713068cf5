"""SIGTERM with `PIPELINE_DRAIN_DELAY`: load balancers leave before requests are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ingest.clients import Client, Held, client_of, has
from processes import wait_for

from pipeline.config import Settings


@pytest.fixture
def publisher() -> Held:
    return Held()


@pytest.fixture
def ingest(tmp_path: Path, publisher: Held, serve: Callable[..., Any]) -> Any:
    # The pages of operators answer to any Host.
    settings = Settings(
        _env_file=None,
        home=tmp_path,
        admin_host="0.0.0.0",  # noqa: S104
        drain_delay=timedelta(seconds=3),
    )
    return serve(settings, publisher)


def stop(ingest: Any) -> None:
    assert ingest.page("/readyz").status == 200
    ingest.stop()
    wait_for(lambda: ingest.page("/readyz").status == 503)
    assert ingest.page("/readyz").json() == {"status": "stopping"}


def answered_last(client: Client) -> bool:
    status, headers, _ = client.answer()
    return (status, headers.get("connection")) == (204, "close") and client.is_ended()


def test_while_it_drains_requests_are_answered_and_each_response_ends_its_connection(
    ingest: Any, publisher: Held
) -> None:
    with client_of(ingest) as pending, client_of(ingest) as idle:
        pending.send(pending.post())
        has(publisher, 1)
        stop(ingest)
        idle.send(idle.post())
        has(publisher, 2)
        with client_of(ingest) as new:
            new.send(new.post())
            has(publisher, 3)
            publisher.release(0, 1, 2)
            assert all(answered_last(client) for client in (pending, idle, new))
    assert ingest.page("/livez").status == 200


def test_after_the_delay_an_idle_connection_ends_and_no_new_one_is_taken(ingest: Any) -> None:
    with client_of(ingest) as idle:
        stop(ingest)
        assert idle.is_ended()
    with pytest.raises(ConnectionRefusedError):
        ingest.connect()
