"""The stores' file of a first start: one store, its token shown once and kept as a hash only."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pipeline.ingest.stores import new_token

STORE = "shop"
_FILE = """\
# Who may send. A running `pipeline ingest` follows this file; `pipeline stores` changes it.

[stores.{name}]
# The SHA-256 of each token, in hexadecimal; the tokens themselves are nowhere. `pipeline stores
# rotate` puts a second one here while the first is being replaced.
tokens_sha256 = ["{digest}"]
# The pages that may send, as "https://shop.example". None here: any page may, which suits this
# machine; name your shop's before ingest can be reached from elsewhere.
origins = []
# Whether events older than 30 days are taken.
backfill = false
"""


def make_first_store(path: Path, name: str = STORE) -> str | None:
    """The token of a new file's only store; None, and nothing done, where there is a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    token, digest = new_token()
    try:
        # Never over a file of the user's.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_FILE.format(name=json.dumps(name), digest=digest))
    return token


def as_curl(url: str, token: str) -> str:
    """A shell command that sends one event of this moment."""
    event = {
        "event_type": "product_view",
        "product_id": 1,
        "session_id": "session-1",
        "device_id": "device-1",
        "timestamp": "NOW",
    }
    # Out of the quotes for a moment, so that the shell asks for the time.
    body = json.dumps({"events": [event]}).replace("NOW", "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'")
    return f"curl -i {url} \\\n  -H 'X-Storefront-Access-Token: {token}' \\\n  -d '{body}'"
