"""The blueprint that the checkout's pages hang on."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("checkout", __name__, url_prefix="/checkout")
