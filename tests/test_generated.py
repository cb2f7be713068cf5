"""The committed files are what `make docs` writes."""

from __future__ import annotations

import pytest

from docs import generate

FILES = generate.generated()


@pytest.mark.parametrize("name", FILES)
def test_the_file_matches_the_catalog(name: str) -> None:
    assert (generate.ROOT / name).read_text() == FILES[name], f"{name}: run `make docs`"


def test_a_new_row_follows_the_existing_ones() -> None:
    text = "## A\n\n| column | b |\n|---|---|\n| a | old |\n| c | kept |\n\n## B\n| a | B |\n"
    rows = {"a": ["a", "new"], "b": ["b", ""]}
    made = generate.with_rows(text, "## A", rows)
    assert made == text.replace("| a | old |\n", "| a | new |\n| b | |\n")


def test_a_file_without_the_generated_part_is_an_error() -> None:
    with pytest.raises(ValueError, match="no section"):
        generate.with_rows("", "## A", {})
    with pytest.raises(ValueError, match="not one place"):
        generate.event_rank("SELECT 1;")
