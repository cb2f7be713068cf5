"""The embedded default: a real Apache Kafka from its own jars, on this machine, without Docker."""
