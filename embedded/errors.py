"""The one error of this package: a sentence for the person at the terminal."""

from __future__ import annotations


class CannotStart(Exception):
    """Something on this machine is missing or in the way: `str()` is one sentence that says what to do."""
