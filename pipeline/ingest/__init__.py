"""From HTTP to Kafka: tokens, validation, enrichment, one record per request and device."""
