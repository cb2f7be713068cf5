"""The sections of the page, one file for each; `ALL` has their order."""

from pipeline.dashboard.sections.attribution import ATTRIBUTION, MODEL
from pipeline.dashboard.sections.funnel import FUNNEL
from pipeline.dashboard.sections.kpis import BLOCKS, COLLECTIONS, TOKENS
from pipeline.dashboard.sections.products import PRODUCTS
from pipeline.dashboard.sections.quality import QUALITY
from pipeline.dashboard.sections.searches import SEARCHES
from pipeline.dashboard.sections.totals import TOTALS
from pipeline.dashboard.sections.trend import TREND
from pipeline.dashboard.sections.visitors import CAMPAIGNS, COUNTRIES, DEVICES, SOURCES, STORES

ALL = (
    TOTALS,
    TREND,
    STORES,
    FUNNEL,
    SEARCHES,
    PRODUCTS,
    BLOCKS,
    COLLECTIONS,
    TOKENS,
    ATTRIBUTION,
    MODEL,
    CAMPAIGNS,
    SOURCES,
    DEVICES,
    COUNTRIES,
    QUALITY,
)

__all__ = ["ALL"]
