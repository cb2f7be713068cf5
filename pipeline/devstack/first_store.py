"""Creates the first stores file: one store, whose token is shown once and kept as a hash."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pipeline.file_errors import naming
from pipeline.ingest.stores import new_token

STORE = "shop"
_FILE = """\
# The stores that may send events. `pipeline stores` edits this file; a running `pipeline ingest`
# picks up changes.

[stores.{name}]
# The SHA-256 of each token, in hexadecimal; the tokens themselves are not stored. `pipeline stores
# rotate` adds a second one while the first is being replaced.
tokens_sha256 = ["{digest}"]
# Origins of the pages that may send, such as "https://shop.example". Empty allows any page: fine on
# this machine, but list your shop's origins before ingest can be reached from elsewhere.
origins = []
# Whether events older than 30 days are accepted.
backfill = false
"""


def make_first_store(path: Path, name: str = STORE) -> str | None:
    """Create the file with one store and return its token; None if the file exists already.

    Raises OSError; then there is no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    token, digest = new_token()
    try:
        # O_EXCL: a user's file is never overwritten.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return None
    try:
        with naming(path), os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_FILE.format(name=json.dumps(name), digest=digest))
    except OSError:
        path.unlink()  # half of it would be taken for what the user has written
        raise
    return token


def introduced(path: Path, url: str, token: str, *, is_terminal: bool) -> str:
    """What `up` says of the new store in the stores file `path`, with a command to try it.

    A terminal shows the token once. What is kept, as a redirected log, must not have it: it is in a
    file beside the stores file then, for this user alone. Raises OSError.
    """
    if is_terminal:
        where, shown = f"(shown only once): {token}", token
    else:
        kept = path.with_name("first-token")
        kept.unlink(missing_ok=True)
        kept.touch(mode=0o600)
        kept.write_text(f"{token}\n")
        where, shown = f"is in {kept}: delete that file once you have it", f"'\"$(cat {kept})\"'"
    return f"Created {path} with one store. Its token {where}\n{as_curl(url, shown)}\n"


def as_curl(url: str, token: str) -> str:
    """A shell command that sends one event with the current time."""
    event = {
        "event_type": "product_view",
        "product_id": 1,
        "session_id": "session-1",
        "device_id": "device-1",
        "timestamp": "NOW",
    }
    # Outside the quotes, so that the shell inserts the time.
    body = json.dumps({"events": [event]}).replace("NOW", "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'")
    return f"curl -i {url} \\\n  -H 'X-Storefront-Access-Token: {token}' \\\n  -d '{body}'"
