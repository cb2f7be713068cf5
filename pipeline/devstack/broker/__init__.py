"""The embedded Kafka: a real Apache Kafka run from its jars, without Docker."""
