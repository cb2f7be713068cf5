"""Exports of a snapshot's tables for other engines, by day."""
