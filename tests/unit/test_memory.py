"""How much memory a process may take by default."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from pipeline.config import MEBIBYTE
from pipeline.process.memory import quarter_of_memory
from pipeline.warehouse import resources


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_it_is_a_quarter_of_the_container_or_of_the_machine(tmp_path: Path, name: str) -> None:
    machine = psutil.virtual_memory().total // 4
    assert quarter_of_memory(tmp_path) == machine
    limit = tmp_path / name
    limit.parent.mkdir(exist_ok=True)
    for text, expected in (
        ("max\n", machine),
        ("9223372036854771712\n", machine),
        (f"{1000 * MEBIBYTE}\n", 250 * MEBIBYTE),
    ):
        limit.write_text(text)
        assert quarter_of_memory(tmp_path) == expected


def test_duckdb_gets_512_mib_also_of_a_small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "quarter_of_memory", lambda: 250 * MEBIBYTE)
    assert resources.default_memory() == 512 * MEBIBYTE
    monkeypatch.setattr(resources, "quarter_of_memory", lambda: 600 * MEBIBYTE)
    assert resources.default_memory() == 600 * MEBIBYTE
