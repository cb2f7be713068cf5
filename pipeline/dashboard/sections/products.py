"""Products as they were shown, clicked and bought."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dashboard.sections.section import Found, Section, show_tables
from pipeline.dashboard.selection import Selection
from pipeline.dashboard.tables import Column, Table

_COLUMNS = (
    Column("product", "Product", "text"),
    Column("blended_impressions", "Impressions"),
    Column("mean_position", "Position", "decimal"),
    Column("blended_clicks", "Clicks", "decimal"),
    Column("click_through_rate", "Click-through", "rate"),
    Column("blended_add_to_carts", "Added to cart", "decimal"),
    Column("blended_order_lines", "Order lines", "decimal"),
    Column("purchase_rate", "Purchase rate", "rate"),
    Column("units", "Units sold"),
    Column("gross_revenue", "Gross revenue", "money"),
)


def _tables(found: Found, _selection: Selection) -> Sequence[Table]:
    return (Table("products", "Products", _COLUMNS, found["products"]),)


PRODUCTS = Section(
    "products",
    "Products",
    ("products",),
    show_tables(_tables),
    _tables,
    ("products",),
    note="Impressions to purchase rate are blended counts (B1 to B4), with halves, on the day"
    " on which the session first saw the list. Units and gross revenue are all that was sold.",
    is_slow=True,
)
