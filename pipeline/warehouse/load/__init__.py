"""Outcomes to facts: one transaction a batch, and the process that runs them."""
