"""Products and lists by the titles of the catalog, wherever the page shows them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dashboard_shop import Served, history, publish, serving, visit
from factories import Log, make_event
from page_text import section

from pipeline.config import Settings
from pipeline.warehouse.catalog.entries import Entry

ATELIER = (
    Entry(
        "product",
        "1",
        "Linen <b>dress</b> \u202e",
        "https://shop.example/?a=1&b=2",
        None,
        "Dresses",
    ),
    Entry("variant", "1", "A variant"),
    Entry("block", "home", "Home page", "https://shop.example/"),
    Entry("token", "token-of-linen", "Summer list"),
)


def lists() -> Log:
    """A block and a collection, each with its token."""
    log = Log(partition=2)
    for kind, field in (("block_view", "block_id"), ("collection_view", "collection_handle")):
        seen = make_event(
            kind, 0, attribution_token=f"token-{field}", product_id=None, **{field: "home"}
        )
        log.send(seen, store="atelier", device=f"d:{kind}")
    return log


@pytest.fixture(scope="module")
def titled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("titled"), dashboard_port=0)
    stores = {"atelier": ATELIER, "kiosk": (Entry("product", "1", "Tea"),)}
    log = Log(partition=3)
    log.send(*visit(0), store="untitled", device="d:x")
    publish(settings, history(), history("kiosk", partition=1), lists(), log, catalog=stores)
    with serving(settings) as one:
        yield one


def test_a_product_has_its_title_its_page_and_its_category(titled: Served) -> None:
    page = titled.get("/section/products", store="atelier")
    text = section(page, "products")
    assert "Product Id Category" in text
    assert "Linen <b>dress</b> \ufffd" in text
    assert "Category Dresses" in text
    assert 'href="https://shop.example/?a=1&amp;b=2"' in page
    assert "A variant" not in page
    assert "Tea" not in page
    assert "Tea" in titled.get("/section/products", store="kiosk")


def test_of_several_stores_the_first_one_that_has_a_title_is_shown(titled: Served) -> None:
    page = titled.get("/section/products", store="*")
    assert "Linen" in page
    assert "Tea" not in page


def test_without_a_catalog_a_product_is_its_id(titled: Served) -> None:
    text = section(titled.get("/section/products", store="untitled"), "products")
    assert "Product Impressions" in text
    assert "Category" not in text


def test_a_title_is_found_and_in_the_file(titled: Served) -> None:
    page = titled.get("/csv/products", store="atelier", **{"products.find": "DRESS"})
    head, row = page.splitlines()
    assert head.startswith("title,product,category,blended_impressions")
    assert row.startswith("Linen <b>dress</b> \ufffd,1,Dresses,")


def test_lists_and_tokens_show_what_they_are(titled: Served) -> None:
    blocks = titled.get("/section/blocks", store="atelier")
    assert "Home page" in section(blocks, "blocks")
    assert 'href="https://shop.example/"' in blocks
    # A handle that is spelled as a block's id is another thing.
    assert "Home page" not in titled.get("/section/collections", store="atelier")
    tokens = {
        row.split(",")[0]: row.split(",")[1]
        for row in titled.get("/csv/tokens", store="atelier").splitlines()
    }
    assert tokens["token-block_id"] == "Home page"
    assert tokens["token-collection_handle"] == "home"
    assert tokens["token-of-linen"] == "Summer list"
    assert tokens["other"] == "linen"
