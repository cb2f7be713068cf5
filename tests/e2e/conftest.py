"""A running ingest, worker and loader, and tokens with the right to backfill."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from processes import Verb, stopping, wait_for

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics
from pipeline.traffic import STORES


@pytest.fixture
def tokens(settings: Settings) -> dict[str, str]:
    """By store of the sample traffic; "" is for lines without a store."""
    made = {store: new_token() for store in (*STORES, "local")}
    write_stores(
        settings.stores,
        {
            store: {"tokens_sha256": [digest], "backfill": True}
            for store, (_, digest) in made.items()
        },
    )
    return {"" if store == "local" else store: token for store, (token, _) in made.items()}


@pytest.fixture
def url(settings: Settings, tokens: dict[str, str]) -> Iterator[str]:  # noqa: ARG001  # first
    """The URL of a running ingest, with a worker and a loader."""
    create_topics(settings)
    running = [Verb(verb, settings) for verb in ("ingest", "worker", "load")]
    with stopping(running):
        wait_for(lambda: "ingest: http" in running[0].said())
        found = re.search(r"ingest: (\S+)", running[0].said())
        assert found is not None
        yield found[1]
