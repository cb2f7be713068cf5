"""All processes on one machine: `up`, `demo`, and a Kafka of their own."""
