"""Loads outcomes into DuckDB, publishes snapshots and queries them."""
