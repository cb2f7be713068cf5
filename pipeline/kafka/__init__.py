"""Kafka as every process meets it: topics, TLS and SASL, and what is wrong, in one line."""
