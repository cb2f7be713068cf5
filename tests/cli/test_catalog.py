"""`pipeline catalog`: what it imports for which store, and what it refuses in a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from processes import Pipeline

from pipeline.warehouse.catalog.store_file import StoreCatalog, catalog_files, read_store

ROWS = "kind,id,title,Vendor\n,1,Linen dress,Acme\nblock,home,Home page,\n"
Import = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def catalogs(tmp_path: Path) -> Callable[[], dict[str, StoreCatalog]]:
    def read() -> dict[str, StoreCatalog]:
        found = catalog_files(tmp_path / "home" / "live.duckdb").values()
        return {catalog.store: catalog for catalog in map(read_store, found)}

    return read


@pytest.fixture
def give(pipeline: Pipeline, tmp_path: Path) -> Import:
    """Runs the import of a file with this content."""

    def run(content: str = ROWS, *options: str) -> CompletedProcess[str]:
        (tmp_path / "products.csv").write_text(content)
        return pipeline("catalog", "import", "products.csv", *options)

    return run


def test_a_file_becomes_the_catalog_of_the_only_store(
    pipeline: Pipeline, give: Import, catalogs: Callable[[], dict[str, StoreCatalog]]
) -> None:
    pipeline("stores", "add", "kiosk")
    done = give()
    assert (done.returncode, done.stderr) == (0, "columns that are not read: vendor\n")
    assert done.stdout == (
        "the catalog of kiosk has 1 of kind product, 1 of kind block. A running loader publishes"
        " that with its next snapshot, a stopped one when it starts.\n"
    )
    assert catalogs()["kiosk"].entries.to_pydict()["title"] == ["Linen dress", "Home page"]
    assert pipeline("catalog", "clear").returncode == 0
    assert len(catalogs()["kiosk"].entries) == 0


def test_a_store_has_to_be_named_where_there_are_several(
    pipeline: Pipeline, give: Import, catalogs: Callable[[], dict[str, StoreCatalog]]
) -> None:
    done = give()
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Error: name a --store")
    # Where the loader runs there need not be a stores file.
    assert give(ROWS, "--store", "anywhere").returncode == 0
    pipeline("stores", "add", "kiosk")
    pipeline("stores", "add", "souk")
    done = give()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "Error: name a --store: kiosk, souk"
    done = give(ROWS, "--store", "kisok")
    assert done.returncode == 2
    assert done.stderr.endswith(" has no store 'kisok'; it has: kiosk, souk\n")
    assert give(ROWS, "--store", "souk").returncode == 0
    assert catalogs().keys() == {"anywhere", "souk"}


def test_a_wrong_row_is_named_and_nothing_changes(
    give: Import, catalogs: Callable[[], dict[str, StoreCatalog]]
) -> None:
    give(ROWS, "--store", "kiosk")
    done = give("id,title\n1,Dress\nx,\x1b[31mred\n", "--store", "kiosk")
    assert done.returncode == 1
    assert done.stderr == "Error: products.csv:3: id 'x': not a whole number\n"
    assert len(catalogs()["kiosk"].entries) == 2
