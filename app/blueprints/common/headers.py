"""Security headers on every response (OWASP ASVS 5.0, 3.4)."""

from __future__ import annotations

import secrets
from typing import cast
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request

STRIPE_PAGES = ("https://hooks.stripe.com", "https://checkout.stripe.com")
# Every page of the back office comes from our own templates: nothing inline, no form that leaves the shop.
ADMIN_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: https:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
PRIVATE_BLUEPRINTS = frozenset({"account", "checkout", "backoffice", "admin"})


def csp_nonce() -> str:
    """For an inline script of this response: `<script nonce="{{ csp_nonce() }}">`."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return cast(str, g.csp_nonce)


def register(app: Flask) -> None:
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.after_request(_secure)


def _secure(response: Response) -> Response:
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
    headers["X-Frame-Options"] = "DENY"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    headers.setdefault("Content-Security-Policy", _policy())
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if _is_private() and "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    return response


def _policy() -> str:
    if request.path.startswith("/admin"):
        return ADMIN_POLICY
    nonce = f" 'nonce-{g.csp_nonce}'" if "csp_nonce" in g else ""
    gateway = " ".join(_payment_pages())
    return (
        f"default-src 'self'; script-src 'self'{nonce}; style-src 'self'; img-src 'self' data: https:; "
        f"object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' {gateway}"
    )


def _payment_pages() -> tuple[str, ...]:
    """Where the checkout form may lead: browsers apply form-action to the redirect after it as well."""
    if current_app.config["PAYMENT_GATEWAY"] == "stripe":
        return STRIPE_PAGES
    parts = urlsplit(current_app.config["SANDBOX_GATEWAY_URL"])
    return (f"{parts.scheme}://{parts.netloc}",)


def _is_private() -> bool:
    return request.blueprint in PRIVATE_BLUEPRINTS or request.path.startswith(("/admin", "/api/"))
