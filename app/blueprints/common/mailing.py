"""A mail in its reader's language: what the jobs send and what the preview shows are made here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app

from app.blueprints.common.languages import points_name, speaking, spoken
from app.notifications.rendering import Rendered, render


def render_mail(message: str, context: Mapping[str, Any], *, locale: str) -> Rendered:
    """`locale` as in `accounts.rules.LOCALES`; any other is English. Raises LookupError for an unknown message."""
    with speaking(locale):
        return render(message, {**_frame(), **context}, environment=current_app.jinja_env)


def _frame() -> dict[str, Any]:
    config = current_app.config
    return {
        "lang": spoken(),
        "shop_name": config["SHOP_NAME"],
        "points_name": points_name(),
        "shop_url": config["BASE_URL"] + "/",
        "name": "",
    }
