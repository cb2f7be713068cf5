"""Products as they were shown, clicked and bought."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dashboard.sections.section import Found, Section, show_tables
from pipeline.dashboard.selection import Selection
from pipeline.dashboard.tables import Column, Table, titled

_PRODUCT = Column("product", "Product", "text")
# Of a store that has imported its catalog.
_TITLED = (
    Column("title", "Product", "text", titled),
    Column("product", "Id", "text"),
    Column("category", "Category", "text"),
)
_COLUMNS = (
    Column("blended_impressions", "Impressions"),
    Column("mean_position", "Position", "decimal"),
    Column("blended_clicks", "Clicks", "decimal"),
    Column("click_through_rate", "Click-through", "rate"),
    Column("blended_add_to_carts", "Added to cart", "decimal"),
    Column("blended_order_lines", "Blended order lines", "decimal"),
    Column("purchase_rate", "Purchase rate", "rate"),
    Column("units", "Units sold"),
    Column("gross_revenue", "Gross revenue", "money"),
)


def _tables(found: Found, _selection: Selection) -> Sequence[Table]:
    rows = found["products"]
    names = _TITLED if any(row["is_titled"] for row in rows) else (_PRODUCT,)
    return (Table("products", "Products", (*names, *_COLUMNS), rows, key="product"),)


PRODUCTS = Section(
    "products",
    "Products",
    ("products",),
    show_tables(_tables),
    _tables,
    ("products",),
    note="Impressions to purchase rate are blended: what sessions did with the products that they"
    " were shown, with halves, on the day on which a session first saw the list. Units and gross"
    " revenue are all that was sold on these days, so what a list did not show, or showed on"
    " another day, has units without a blended order line.",
    is_slow=True,
)
