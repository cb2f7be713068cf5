"""What we write is for the user who runs us: it holds events, and hashes of tokens."""

from __future__ import annotations

import os
from pathlib import Path


def write_for_ourselves() -> None:
    """What this process and its children make from now on, no other user may read."""
    os.umask(0o077)


def close_folder(folder: Path) -> None:
    """Make `folder`, and let no other user in: what an earlier run left in it may be open.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
