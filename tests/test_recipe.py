"""Follow the README's recipes for an event type and a field in a copy of the tree."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from checkout import ROOT, copy_checkout
from ingest.wire_cases import COMMON

# The tests of the documents and of the catalog.
TESTS = (
    "tests/test_catalog.py",
    "tests/test_generated.py",
    "tests/test_glossary.py",
    "tests/test_docs.py",
    "tests/ingest/test_contract_page.py",
)
# By file: the text that it is inserted before, and what is inserted. A migration is a new file.
Recipe = dict[str, tuple[str, str]]
MIGRATIONS = "sql/migrations"
TYPE: Recipe = {
    "pipeline/domain/catalog.py": (
        "# By name, in the order of the counts.\n",
        """class AddToWishlist(GivenEvent, rank=5, count="add_to_wishlists"):
    \"\"\"A product was put on a wish list.\"\"\"

    event_type: Literal["add_to_wishlist"] = "add_to_wishlist"
    product_id: f.ProductId


""",
    ),
    MIGRATIONS: ("", "ALTER TABLE sessions ADD COLUMN add_to_wishlists BIGINT DEFAULT 0;\n"),
}
FIELD: Recipe = {
    "pipeline/domain/fields.py": (
        "ITEMS = About(",
        'CouponCode = Annotated[_Name, About("The coupon that was given.")]\n',
    ),
    "pipeline/domain/catalog.py": (
        "\n    def __init_subclass__(",
        "    coupon_code: f.CouponCode | None = None\n",
    ),
    "pipeline/ingest/wire.py": (
        "    currency: Currency | None = None\n",
        "    coupon_code: Name | None = None\n",
    ),
    "pipeline/domain/events.py": (
        "    items: list[Line] | None = None\n",
        "    coupon_code: str | None = None\n",
    ),
    MIGRATIONS: ("", "ALTER TABLE hot_events ADD COLUMN coupon_code VARCHAR;\n"),
}
RECIPES = {"An event type": TYPE, "A field": FIELD}
EVENT = {
    **COMMON,
    "event_type": "add_to_wishlist",
    "product_id": 1,
    "coupon_code": "SPRING",
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path)


def follow(recipe: Recipe, tree: Path, *, without: str | None = None) -> str:
    """Apply the recipe and run `make docs`; return its errors."""
    for number, (name, (before, added)) in enumerate(recipe.items()):
        if name == without:
            continue
        if name == MIGRATIONS:
            (tree / name / f"900{number}_{len(added)}.sql").write_text(added)
            continue
        text = (tree / name).read_text()
        assert text.count(before) == 1, name
        (tree / name).write_text(text.replace(before, added + before))
    if without == "make docs":
        return ""
    makefile = (tree / "Makefile").read_text()
    (command,) = re.findall(r"^docs: .*\n\t\$\(BIN\)/python (.+)$", makefile, re.MULTILINE)
    return ran(tree, *command.split()).stderr


def ran(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy, with the copy's modules."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def proved(tree: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    return ran(tree, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", *tests)


@pytest.mark.parametrize("name", RECIPES)
def test_the_readme_names_the_files_of_the_recipe(name: str) -> None:
    (recipe,) = re.findall(
        rf"^- \*\*{name}\*\*:.*?(?=^- )", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert set(re.findall(r"`([\w./ ]+)`", recipe)) == {*RECIPES[name], "make docs"}


def test_a_new_type_and_a_new_field_fill_their_columns(copy: Path) -> None:
    assert follow(TYPE, copy) == ""
    assert follow(FIELD, copy) == ""
    (copy / "events.ndjson").write_text(json.dumps(EVENT))
    valid = ran(copy, "-m", "pipeline", "validate", "events.ndjson")
    assert (valid.returncode, valid.stdout) == (0, "")
    made = ran(copy, "-m", "pipeline", "local", "events.ndjson", "--database", "new.duckdb")
    assert "0 events rejected" in made.stdout, made
    with duckdb.connect(copy / "new.duckdb", read_only=True) as connection:
        rows = connection.execute(
            "SELECT add_to_wishlists, coupon_code, event_rank(event_type) FROM sessions, events"
        ).fetchall()
    assert rows == [(1, "SPRING", 5)]
    checked = ran(copy, "-m", "pipeline", "check", "--database", "new.duckdb")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_document_tests_pass_with_a_new_type_and_field(copy: Path) -> None:
    assert follow(TYPE, copy) == ""
    assert follow(FIELD, copy) == ""
    done = proved(copy, *TESTS)
    assert done.returncode == 0, done.stdout[-4000:]


FORGETTABLE = [
    (name, file)
    for name, recipe in RECIPES.items()
    for file in (*recipe, "make docs")
    # Without the declaration there is no new type.
    if (name, file) != ("An event type", "pipeline/domain/catalog.py")
]


@pytest.mark.parametrize(("name", "file"), FORGETTABLE, ids=map(" without ".join, FORGETTABLE))
def test_a_forgotten_step_fails_and_names_its_file(copy: Path, name: str, file: str) -> None:
    said = follow(RECIPES[name], copy, without=file)
    done = proved(copy, *TESTS[:2])
    assert done.returncode != 0
    output = said + done.stdout
    module = file.removesuffix(".py").replace("/", ".")
    assert file in output or f"module '{module}'" in output, output[-4000:]
