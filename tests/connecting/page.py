"""The snippets of docs/clients.md, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "clients.md"


def snippet(section: str) -> str:
    """The code of a section's one block. Raises KeyError or ValueError where it is not there."""
    (code,) = snippets()[section]
    return code


def snippets() -> dict[str, list[str]]:
    """The code blocks of each section that has some."""
    parts = re.split(r"^## (.+)\n", PAGE.read_text(), flags=re.MULTILINE)
    found = {
        name: re.findall(r"^```\w+\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {name: blocks for name, blocks in found.items() if blocks}
