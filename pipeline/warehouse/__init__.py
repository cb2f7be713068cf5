"""From `outcomes` to DuckDB, and everything that reads DuckDB."""
