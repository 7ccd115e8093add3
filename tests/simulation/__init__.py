"""Seeded random histories of the whole shop in one process, and what must be true after each (docs/reliability.md)."""
