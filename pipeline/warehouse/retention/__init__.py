"""Rows at the end of their term: what goes, when, and what is kept of it (decision 0034)."""
