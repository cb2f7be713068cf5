"""Sessions by what they were: store, campaign, source, channel, device, country. A row filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.dashboard.sections.section import Found, Section, show_tables
from pipeline.dashboard.selection import Selection, written
from pipeline.dashboard.tables import Column, Table, named


def _columns(subject: str, link: Callable[[str | None], str]) -> tuple[Column, ...]:
    return (
        Column("name", subject, "text", named("name", link)),
        Column("sessions", "Sessions"),
        Column("orders", "Orders"),
        Column("conversion_rate", "Conversion", "rate"),
        Column("gross_revenue", "Gross revenue", "money"),
    )


def _table(grain: str, subject: str, found: Found, selection: Selection) -> Table:
    rows = [row for row in found["breakdowns"] if row["grain"] == grain]
    columns = _columns(subject, lambda value: selection.url(**{grain: written(value)}))
    return Table(f"by-{grain}", f"Sessions by {subject.lower()}", columns, rows)


def _section(
    name: str,
    title: str,
    grains: dict[str, str],
    *,
    note: str | None = None,
    is_wide: bool = False,
    is_for: Callable[[Selection], bool] = lambda _selection: True,
) -> Section:
    def tables(found: Found, selection: Selection) -> Sequence[Table]:
        return [_table(grain, subject, found, selection) for grain, subject in grains.items()]

    show = show_tables(tables)
    names = tuple(f"by-{grain}" for grain in grains)
    return Section(
        name, title, ("breakdowns",), show, tables, names, note, is_wide=is_wide, is_for=is_for
    )


STORES = _section(
    "stores",
    "Stores",
    {"store": "Store"},
    is_wide=True,
    is_for=lambda selection: selection.store.name is None,
)
CAMPAIGNS = _section(
    "campaigns",
    "Campaigns",
    {"campaign": "Campaign"},
    note="The campaign of the first event of a session that names one. A row filters the page.",
)
SOURCES = _section("sources", "Sources", {"source": "Source"})
DEVICES = _section("devices", "Devices and channels", {"device": "Device", "channel": "Channel"})
COUNTRIES = _section("countries", "Countries", {"country": "Country"})
