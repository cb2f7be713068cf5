"""What a request waits for: its records on Kafka, or in the spool (decision 0013)."""
