"""The edges. Each blueprint package has a `register(app)`; this is the list of them."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Register every edge, in the order in which their URL rules are tried."""
