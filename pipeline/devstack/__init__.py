"""Runs the whole pipeline on one machine: `up`, `demo`, and an embedded Kafka."""
