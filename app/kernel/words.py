"""Words that people read, written where the web is not known."""

from __future__ import annotations


def for_translation(text: str) -> str:
    """`text` as it is. The call marks it for the catalogue; the edge that shows it translates it."""
    return text
