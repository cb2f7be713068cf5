"""An open clickstream pipeline: beacons over HTTP, Kafka, Faust, DuckDB, SQL."""
