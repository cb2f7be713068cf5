"""What every process needs of Kafka: topics, TLS and SASL, and errors in one line."""
