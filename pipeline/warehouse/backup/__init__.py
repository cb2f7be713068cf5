"""Backups of a home: taking them while everything runs, and restoring one into an empty home."""
