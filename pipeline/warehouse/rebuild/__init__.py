"""Warehouses made anew from `events`: after a loss, and under other rules."""
