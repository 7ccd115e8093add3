"""What staff did to one thing, for those who may read the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from app.audit.reading import Entry, list_about
from app.blueprints.backoffice.access import reader_may

LATEST = 10


def history_of(target_type: str, target_id: str) -> Sequence[Entry] | None:
    """The latest ten, newest first; None for readers who may not see it."""
    return list_about(target_type, target_id, limit=LATEST) if reader_may("audit.read") else None
