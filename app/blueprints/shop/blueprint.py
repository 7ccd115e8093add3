"""The blueprint that every page of the shop hangs on."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("shop", __name__)
