"""A running pipeline for SDK tests, and the examples of `docs/sending-events.md` for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from processes import wait_for

from pipeline.config import Settings
from pipeline.status import status

DOCUMENT = Path(__file__).parents[1] / "docs" / "sending-events.md"


@dataclass(frozen=True)
class SdkEnvironment:
    """`pages` is the origin that may send, `folder` what it serves; `server` is ingest's origin,
    `admin` that of its probes, metrics and `/explain`."""

    settings: Settings
    token: str
    server: str
    admin: str
    pages: str
    folder: Path

    def example(self, language: str, part: str) -> str:
        """The one example of the document that holds `part`, for this environment."""
        blocks = re.findall(
            rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL
        )
        (found,) = [block for block in blocks if part in block]
        text = found.replace("http://127.0.0.1:8080", self.server)
        return text.replace("YOUR_TOKEN", self.token)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Query the published snapshot; no rows before the first one."""
        if not self.settings.database.exists():
            return []
        with duckdb.connect(self.settings.database, read_only=True) as connection:
            answer = connection.execute(query, list(values))
            names = [column[0] for column in answer.description]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def events(self, session_id: str) -> list[dict[str, Any]]:
        """The events of a session, in order of time."""
        return self.rows(
            "SELECT * FROM events WHERE session_id = ? ORDER BY occurred_at, position, query",
            session_id,
        )

    def arrived(self, session_id: str, count: int) -> list[dict[str, Any]]:
        """Wait until everything is loaded; the events of a session, which must be `count`."""
        wait_for(lambda: len(self.events(session_id)) >= count)
        self.settle()
        events = self.events(session_id)
        assert len(events) == count
        assert self.rows("SELECT * FROM duplicates") == []
        return events

    def settle(self) -> None:
        """Wait until the snapshot holds everything that ingest accepted."""
        wait_for(lambda: status(self.settings).is_published)
