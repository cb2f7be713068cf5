"""Devices that were erased: who they are, and how nothing is left of them in any file."""
