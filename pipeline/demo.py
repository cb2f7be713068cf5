"""`pipeline demo`: everything up, sample traffic through the front door, a first answer."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config import Settings
from pipeline.ingest.stores import new_token, write_stores
from pipeline.send import send
from pipeline.status import status
from pipeline.traffic import STORES, lines
from pipeline.up import Up
from pipeline.warehouse.database import connect_published
from pipeline.warehouse.queries import Answer, ask

QUESTION = "funnel"


def run(settings: Settings, *, devices: int, and_exit: bool, show: Callable[[Answer], None]) -> int:
    """Until Ctrl-C, or until the answer with `and_exit`. Returns the exit code."""
    tokens = demo_stores(settings)
    with Up(settings) as running:
        running.wait_ready()
        with tempfile.TemporaryDirectory() as folder:
            sample = Path(folder) / "traffic.ndjson"
            now = datetime.now(UTC)
            with sample.open("wb") as file:
                file.writelines(lines(int(now.timestamp()), devices=devices, end=now))
            code = send([str(sample)], running.url, tokens, strict=True)
        started = time.monotonic()
        while (
            not running.is_stopping and not status(running.settings, running.bootstrap).is_published
        ):
            time.sleep(0.2)
        if running.is_stopping:
            return code
        print(  # noqa: T201
            f"\nAll of it is in the snapshot, {time.monotonic() - started:.1f} s after the last"
            f" 204.\n$ pipeline query {QUESTION}"
        )
        with connect_published(settings.database) as connection:
            show(ask(connection, QUESTION, {}))
        if not and_exit:
            running.announce()
            running.wait()
    return code


def demo_stores(settings: Settings) -> dict[str, str]:
    """Tokens of the sample stores, made at the first start, kept beside the stores' file."""
    kept = settings.home / "demo-tokens.json"
    if kept.exists() and settings.stores.exists():
        tokens: dict[str, str] = json.loads(kept.read_text())
        return tokens
    settings.home.mkdir(parents=True, exist_ok=True)
    made = {store: new_token() for store in STORES}
    # The right to backfill: sample traffic has a week behind it, and times of its own.
    write_stores(
        settings.stores,
        {
            store: {"tokens_sha256": [digest], "origins": [], "backfill": True}
            for store, (_, digest) in made.items()
        },
    )
    kept.touch(mode=0o600)
    kept.write_text(json.dumps({store: token for store, (token, _) in made.items()}))
    return {store: token for store, (token, _) in made.items()}
