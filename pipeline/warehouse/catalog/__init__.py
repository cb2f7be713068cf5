"""The catalog: what a store says of its products and lists, from a CSV file into the snapshot."""
