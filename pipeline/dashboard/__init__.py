"""The dashboard: a page over the published snapshot, rendered here and usable without scripts."""

from pipeline.dashboard.server import create_app, run

__all__ = ["create_app", "run"]
