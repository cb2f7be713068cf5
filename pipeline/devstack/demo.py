"""`pipeline demo`: runs `up`, sends sample traffic over HTTP and answers a first question."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config import Settings
from pipeline.devstack.supervisor import StartError
from pipeline.devstack.up import Up
from pipeline.ingest.stores import Stores, new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.replay.send import send
from pipeline.status import Status, status
from pipeline.traffic import STORES, lines
from pipeline.traffic.sample_catalog import sample_catalog
from pipeline.warehouse.catalog.store_file import write_store
from pipeline.warehouse.database import connect_published
from pipeline.warehouse.queries import QueryResult, ask

QUESTION = "funnel"
# The headers in which the sample traffic carries its places.
EDGE_HEADERS = {
    "country_header": "cf-ipcountry",
    "region_header": "cf-region",
    "city_header": "cf-ipcity",
}
# Seconds without progress of the snapshot after which the demo gives up.
PATIENCE = 120.0


def run(
    settings: Settings, *, devices: int, and_exit: bool, show: Callable[[QueryResult], None]
) -> int:
    """Run until Ctrl-C, or with `and_exit` until the first answer. Returns the exit code."""
    tokens = demo_stores(settings)
    with Up(with_edge(settings), explain=True) as running:
        running.wait_ready()
        with tempfile.TemporaryDirectory() as folder:
            sample = Path(folder) / "traffic.ndjson"
            code = running.during(
                lambda: _send_sample(sample, running.beacon_url, tokens, devices=devices)
            )
        started = time.monotonic()
        if code == 0:
            _wait_published(running)
        if running.is_stopping or code is None:
            return 0
        if code:
            return code
        print(  # noqa: T201
            f"\nAll of it is in the snapshot, {time.monotonic() - started:.1f} s after the last"
            f" 204.\n$ pipeline query {QUESTION}"
        )
        with connect_published(settings.database) as connection:
            show(ask(connection, QUESTION, {}))
        if not and_exit:
            running.announce()
            running.watch()
    return 0


def with_edge(settings: Settings) -> Settings:
    """`settings` with the headers of the sample traffic, unless the user has set others."""
    if any(getattr(settings, name) for name in EDGE_HEADERS):
        return settings
    return settings.model_copy(update=EDGE_HEADERS)


def _send_sample(path: Path, url: str, tokens: dict[str, str], *, devices: int) -> int:
    now = datetime.now(UTC)
    with path.open("wb") as file:
        # Seeded with the time: each start sends other shoppers.
        file.writelines(lines(int(now.timestamp()), devices=devices, end=now))
    return send([str(path)], url, tokens, strict=True)


def _wait_published(running: Up) -> None:
    settings = running.settings
    seen, since = -1, time.monotonic()
    while not running.is_stopping:
        now: Status | None = running.during(lambda: status(settings))
        if now is None or now.is_published:
            return
        running.refuse_dying()
        if now.published != seen:
            seen, since = now.published, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            raise StartError(
                f"the snapshot has not advanced for {PATIENCE:.0f} s: see the last output of worker"
                " and load above"
            )


def demo_stores(settings: Settings) -> dict[str, str]:
    """Tokens of the sample stores, created at the first start and kept beside the stores file.

    Their catalogs are imported then, too.

    Raises `StartError` when the stores file is not the demo's: it is left alone, and the tables get
    no sample data.
    """
    kept = settings.home / "demo-tokens.json"
    if settings.stores.exists():
        return _kept(kept, settings.stores)
    settings.home.mkdir(parents=True, exist_ok=True)
    for store in STORES:
        write_store(settings.live_database, store, sample_catalog(store), at=datetime.now(UTC))
    made = {store: new_token() for store in STORES}
    # The tokens first: a stores file without them could not be recognized as the demo's.
    descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({store: token for store, (token, _) in made.items()}, file)
    # Backfill, because sample traffic spans the past week and brings its own `received_at`.
    write_stores(
        settings.stores,
        {
            store: {"tokens_sha256": [digest], "origins": [], "backfill": True}
            for store, (_, digest) in made.items()
        },
    )
    return {store: token for store, (token, _) in made.items()}


def _kept(kept: Path, path: Path) -> dict[str, str]:
    stores = Stores.load(path)
    try:
        tokens: dict[str, str] = json.loads(kept.read_text(encoding="utf-8"))
        found = {store: stores.by_token(tokens[store], at=time.time()) for store in STORES}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        found = {}
    if not found or not all(
        known is not None and known.sender.store_id == store for store, known in found.items()
    ):
        raise StartError(
            f"{path} was not created by the demo: set PIPELINE_HOME to another folder, as in"
            " PIPELINE_HOME=demo pipeline demo"
        )
    return {store: tokens[store] for store in STORES}
