"""Production starts with live keys over https, or says in one sentence which variable is wrong."""

from __future__ import annotations

import pytest

from config import ConfigurationError, load

GOOD = {
    "SHOP_ENV": "production",
    "SECRET_KEY": "k" * 40,
    "DATABASE_URL": "postgresql://shop@127.0.0.1/shop",
    "REDIS_URL": "redis://127.0.0.1/0",
    "BASE_URL": "https://shop.example",
    "PAYMENT_GATEWAY": "stripe",
    "STRIPE_SECRET_KEY": "sk_live_0123456789abcdef",
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef",
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"STRIPE_SECRET_KEY": "rk_live_0123456789abcdef"},
        {"STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef, whsec_fedcba9876543210"},
    ],
)
def test_live_settings_start(changes: dict[str, str]) -> None:
    assert load(GOOD | changes)["PAYMENT_GATEWAY"] == "stripe"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYMENT_GATEWAY", "sandbox"),
        ("STRIPE_SECRET_KEY", "sk_test_0123456789abcdef"),
        ("STRIPE_SECRET_KEY", "SK_TEST_0123456789abcdef"),
        ("STRIPE_SECRET_KEY", "rk_test_0123456789abcdef"),
        ("STRIPE_SECRET_KEY", "pk_test_0123456789abcdef"),
        ("STRIPE_SECRET_KEY", "pk_live_0123456789abcdef"),
        ("STRIPE_SECRET_KEY", "sandbox-key"),
        ("STRIPE_SECRET_KEY", "sk_1234567890"),
        ("STRIPE_SECRET_KEY", "sk_live_"),
        ("STRIPE_SECRET_KEY", "x sk_live_0123456789abcdef"),
        ("STRIPE_SECRET_KEY", ""),
        ("STRIPE_API_BASE", "http://evil.example"),
        ("STRIPE_API_BASE", "api.stripe.com"),
        ("STRIPE_WEBHOOK_SECRET", ","),
        ("STRIPE_WEBHOOK_SECRET", "secret"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_0123456789abcdef,other"),
        ("BASE_URL", "http://shop.example"),
        ("SECRET_KEY", "short"),
        ("RATE_LIMITS", "off"),
        ("SHOP_CRASH_DIR", "crashes"),
        ("FLASK_DEBUG", "1"),
    ],
)
def test_everything_else_is_refused_by_name(name: str, value: str) -> None:
    sandbox = {"SANDBOX_GATEWAY_URL": "http://127.0.0.1:1", "SANDBOX_GATEWAY_KEY": "k"}
    with pytest.raises(ConfigurationError) as refused:
        load(GOOD | sandbox | {"SANDBOX_WEBHOOK_SECRET": "s", name: value})
    assert name in str(refused.value)


def test_no_secret_is_refused_in_development_too() -> None:
    with pytest.raises(ConfigurationError, match="STRIPE_WEBHOOK_SECRET"):
        load(GOOD | {"SHOP_ENV": "development", "STRIPE_WEBHOOK_SECRET": ","})
