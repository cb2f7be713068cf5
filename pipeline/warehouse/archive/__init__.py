"""Old events in Parquet files: writing, naming and deleting them."""
