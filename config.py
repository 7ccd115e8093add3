"""Settings from the environment, checked at start: a wrong one is a clear sentence, not a later 500."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

DEVELOPMENT_SECRETS = {"dev", "development", "secret", "changeme", "change-me", "test"}
MIN_SECRET_LENGTH = 32
_LIVE_KEY = re.compile(r"[sr]k_live_[A-Za-z0-9]{10,}")
_SIGNING_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]{10,}")


class ConfigurationError(SystemExit):
    """Ends the process with one sentence on stderr and a non-zero exit."""


def load(environ: dict[str, str] | None = None) -> dict[str, Any]:
    """Flask settings. Raises ConfigurationError naming the variable that is missing or wrong."""
    env = os.environ if environ is None else environ
    mode = env.get("SHOP_ENV", "production")
    if mode not in {"development", "testing", "production"}:
        raise ConfigurationError(f"SHOP_ENV is {mode!r}; it must be development, testing or production.")
    settings: dict[str, Any] = {
        "SHOP_ENV": mode,
        "TESTING": mode == "testing",
        "SECRET_KEY": _required(env, "SECRET_KEY"),
        "SECRET_KEY_FALLBACKS": _words(env.get("SECRET_KEY_FALLBACKS", "")),
        "BASE_URL": env.get("BASE_URL", "http://127.0.0.1:8000").rstrip("/"),
        "TRUSTED_PROXIES": _integer(env, "TRUSTED_PROXIES", 0),
        "LOG_FORMAT": _one_of(
            env, "LOG_FORMAT", "json" if mode == "production" else "text", {"json", "text"}
        ),
        "LOG_LEVEL": env.get("LOG_LEVEL", "INFO").upper(),
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "MAX_FORM_MEMORY_SIZE": 256 * 1024,
        **_shop(env),
        **_database(env),
        **_redis(env),
        **_sessions(env, mode),
        **_payments(env),
        **_mail(env),
    }
    if mode == "production":
        _refuse_development_settings(env, settings)
    return settings


def _shop(env: Any) -> dict[str, Any]:
    return {
        "SHOP_NAME": env.get("SHOP_NAME", "Miles Plus Cash"),
        "CURRENCY": env.get("SHOP_CURRENCY", "HKD"),
        "POINTS_NAME": env.get("SHOP_POINTS_NAME", "miles"),
        "COUNTRIES": _words(env.get("SHOP_COUNTRIES", "HK,MO,TW,SG,JP,KR,CN,GB,US,AU,DE,FR")),
    }


def _database(env: Any) -> dict[str, Any]:
    url = _postgres_url(_required(env, "DATABASE_URL"))
    owner = _postgres_url(env.get("DATABASE_OWNER_URL") or url)
    return {
        "SQLALCHEMY_DATABASE_URI": url,
        "DATABASE_OWNER_URL": owner,
        # With one login for everything, the app still works as a role that cannot touch the ledger's past.
        "DATABASE_SET_ROLE": "shop_app" if owner == url else None,
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_size": _integer(env, "DATABASE_POOL_SIZE", 10),
            "max_overflow": 2,
            "pool_timeout": 5,
            "pool_pre_ping": False,
            "pool_recycle": 1800,
            "connect_args": {
                "connect_timeout": 3,
                "application_name": env.get("SHOP_PROCESS", "shop"),
                "options": "-c timezone=UTC -c lock_timeout=3s -c statement_timeout=10s"
                " -c idle_in_transaction_session_timeout=15s",
            },
        },
    }


def _redis(env: Any) -> dict[str, Any]:
    url = _required(env, "REDIS_URL")
    limits = env.get("RATE_LIMITS", "on")
    if limits not in {"on", "off"}:
        raise ConfigurationError(f"RATE_LIMITS is {limits!r}; it must be on or off.")
    return {
        "REDIS_URL": url,
        "CACHE_TYPE": "RedisCache",
        "CACHE_REDIS_URL": url,
        "CACHE_KEY_PREFIX": "shop:",
        "CACHE_DEFAULT_TIMEOUT": 300,
        "RATELIMIT_ENABLED": limits == "on",
        "RATELIMIT_STORAGE_URI": url,
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
        "RATELIMIT_HEADERS_ENABLED": False,  # ours say seconds (blueprints/common/limits.py), theirs a date
        "RATELIMIT_STORAGE_OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }


def _sessions(env: Any, mode: str) -> dict[str, Any]:
    secure = mode == "production"
    return {
        "SESSION_COOKIE_NAME": "__Host-shop" if secure else "shop_session",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": timedelta(days=14),
        "SESSION_REFRESH_EACH_REQUEST": False,  # blueprints/common/sessions.py rewrites it once a minute
        "WTF_CSRF_TIME_LIMIT": None,
        "ACCESS_TOKEN_SECONDS": 900,
        "REFRESH_TOKEN_SECONDS": 60 * 24 * 3600,
        "PASSWORD_HASHING": env.get("PASSWORD_HASHING", "argon2id"),
    }


def _payments(env: Any) -> dict[str, Any]:
    gateway = env.get("PAYMENT_GATEWAY", "sandbox")
    if gateway not in {"sandbox", "stripe"}:
        raise ConfigurationError(f"PAYMENT_GATEWAY is {gateway!r}; it must be sandbox or stripe.")
    settings = {
        "PAYMENT_GATEWAY": gateway,
        "GATEWAY_CONNECT_SECONDS": _number(env, "GATEWAY_CONNECT_SECONDS", 3.0),
        "GATEWAY_READ_SECONDS": _number(env, "GATEWAY_READ_SECONDS", 20.0),
        "GATEWAY_TOTAL_SECONDS": _number(env, "GATEWAY_TOTAL_SECONDS", 25.0),
        "GATEWAY_BREAKER_FAILURES": _integer(env, "GATEWAY_BREAKER_FAILURES", 10),
        "GATEWAY_BREAKER_SECONDS": _number(env, "GATEWAY_BREAKER_SECONDS", 10.0),
        "CARD_MINIMUM": _integer(env, "CARD_MINIMUM", 400),
        "PAY_AGAIN_DAYS": _integer(env, "PAY_AGAIN_DAYS", 7),
    }
    if gateway == "sandbox":
        settings |= {
            "SANDBOX_GATEWAY_URL": _required(env, "SANDBOX_GATEWAY_URL").rstrip("/"),
            "SANDBOX_GATEWAY_KEY": _required(env, "SANDBOX_GATEWAY_KEY"),
            "SANDBOX_WEBHOOK_SECRETS": _secrets(env, "SANDBOX_WEBHOOK_SECRET"),
        }
    else:
        settings |= {
            "STRIPE_API_BASE": env.get("STRIPE_API_BASE", "https://api.stripe.com"),
            "STRIPE_SECRET_KEY": _required(env, "STRIPE_SECRET_KEY"),
            "STRIPE_WEBHOOK_SECRETS": _secrets(env, "STRIPE_WEBHOOK_SECRET"),
        }
    return settings


def _mail(env: Any) -> dict[str, Any]:
    return {
        "MAIL_SERVER": env.get("MAIL_SERVER", "127.0.0.1"),
        "MAIL_PORT": _integer(env, "MAIL_PORT", 1025),
        "MAIL_USERNAME": env.get("MAIL_USERNAME") or None,
        "MAIL_PASSWORD": env.get("MAIL_PASSWORD") or None,
        "MAIL_USE_TLS": env.get("MAIL_USE_TLS", "") == "1",
        "MAIL_TIMEOUT": 10,
        "MAIL_DEFAULT_SENDER": env.get(
            "MAIL_DEFAULT_SENDER", "Miles Plus Cash <shop@miles-plus-cash.example>"
        ),
        "STAFF_MAIL": env.get("STAFF_MAIL", "staff@demo.example"),
        "MAILBOX_URL": env.get("MAILBOX_URL") or None,
    }


def _refuse_development_settings(env: Any, settings: dict[str, Any]) -> None:
    key = settings["SECRET_KEY"]
    if len(key) < MIN_SECRET_LENGTH or key.lower() in DEVELOPMENT_SECRETS or key.startswith("dev-"):
        raise ConfigurationError(
            f"SECRET_KEY is short or for development; production needs {MIN_SECRET_LENGTH} random letters."
        )
    _refuse_gateway_without_money(settings)
    if not settings["RATELIMIT_ENABLED"]:
        raise ConfigurationError("RATE_LIMITS is off; production runs with rate limits.")
    if settings["PASSWORD_HASHING"] != "argon2id":  # noqa: S105 (the name of a method)
        raise ConfigurationError("PASSWORD_HASHING is for tests; production hashes with argon2id.")
    if urlsplit(settings["BASE_URL"]).scheme != "https":
        raise ConfigurationError("BASE_URL must start with https:// in production.")
    if env.get("SHOP_CRASH_DIR"):
        raise ConfigurationError("SHOP_CRASH_DIR is for tests; production runs without it.")
    if env.get("FLASK_DEBUG", "0") not in {"", "0"}:
        raise ConfigurationError("FLASK_DEBUG is on; production runs without it.")


def _refuse_gateway_without_money(settings: dict[str, Any]) -> None:
    """What is right is listed, not what is wrong: a key that nobody thought of is refused too."""
    if settings["PAYMENT_GATEWAY"] == "sandbox":
        raise ConfigurationError("PAYMENT_GATEWAY is sandbox; production needs a real gateway.")
    if not _LIVE_KEY.fullmatch(settings["STRIPE_SECRET_KEY"]):
        raise ConfigurationError(
            "STRIPE_SECRET_KEY is no live key; production needs one that starts with sk_live_ or rk_live_."
        )
    if urlsplit(settings["STRIPE_API_BASE"]).scheme != "https":
        raise ConfigurationError("STRIPE_API_BASE must start with https:// in production.")
    if not all(_SIGNING_SECRET.fullmatch(secret) for secret in settings["STRIPE_WEBHOOK_SECRETS"]):
        raise ConfigurationError("STRIPE_WEBHOOK_SECRET must start with whsec_ in production.")


def _required(env: Any, name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigurationError(
            f"{name} is not set. `make run` sets it for you; README.md lists every variable."
        )
    return str(value)


def _secrets(env: Any, name: str) -> list[str]:
    """At least one: with none, no callback could be told from a forged one."""
    found = _words(_required(env, name))
    if not found:
        raise ConfigurationError(f"{name} is {env[name]!r}; it must be one secret, or two during rotation.")
    return found


def _integer(env: Any, name: str, default: int) -> int:
    try:
        return int(env.get(name, default))
    except ValueError:
        raise ConfigurationError(f"{name} is {env[name]!r}; it must be a whole number.") from None


def _one_of(env: Any, name: str, default: str, choices: set[str]) -> str:
    value = env.get(name, default)
    if value not in choices:
        raise ConfigurationError(f"{name} is {value!r}; it must be {' or '.join(sorted(choices))}.")
    return str(value)


def _number(env: Any, name: str, default: float) -> float:
    try:
        return float(env.get(name, default))
    except ValueError:
        raise ConfigurationError(f"{name} is {env[name]!r}; it must be a number.") from None


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _postgres_url(url: str) -> str:
    """psycopg 3 whatever the spelling: `postgres://` and `postgresql://` are what people have."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise ConfigurationError("DATABASE_URL must start with postgresql://")
    return f"postgresql+psycopg://{rest}"
