"""Identifiers: time-ordered for rows, unguessable for what people or clients see."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
import uuid

# Crockford base 32 without I, L, O, U: readable over the phone, no words by accident.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_SECOND = 1_000 << 12  # of `uuid7`: milliseconds and 12 bits of their fraction
_before = threading.local()


def uuid7() -> uuid.UUID:
    """A UUID version 7 (RFC 9562, 5.7): 48 bits of milliseconds, 12 of their fraction, 62 random bits.

    Each is greater than the one before in the same thread (RFC 9562, 6.2, method 3): what one import or one
    transaction makes stands in the order in which it was made, also within a millisecond. A clock that was
    set back by more than a second is followed: else one wrong hour would stay in every id until it has passed.
    """
    instant, before = (time.time_ns() << 12) // 1_000_000, getattr(_before, "instant", 0)
    if instant <= before <= instant + _SECOND:
        instant = before + 1
    _before.instant = instant
    value = (instant >> 12 & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | (instant & 0xFFF) << 64
    return uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62))


def order_number() -> str:
    """A public order number such as `MPC-7K3F9-Q2D4X`: 50 random bits, not a counter."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    return f"MPC-{letters[:5]}-{letters[5:]}"


def secret_token(prefix: str) -> str:
    """A bearer secret with 256 random bits; only its `fingerprint` is ever stored."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def fingerprint(text: str | bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).digest()
