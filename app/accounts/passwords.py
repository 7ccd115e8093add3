"""Password hashes: Argon2id (RFC 9106) at or above the OWASP minimum of 19 MiB, 2 passes, 1 lane."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import CHEAPEST

_SCHEMES = {
    "argon2id": PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),
    "cheap": PasswordHasher.from_parameters(CHEAPEST),  # for tests; production refuses it (config.py)
}
_hasher = _SCHEMES["argon2id"]


def choose(scheme: str) -> None:
    """Set the scheme of this process, `argon2id` or `cheap`: called once, at start."""
    global _hasher
    _hasher = _SCHEMES[scheme]


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. None (nobody there) costs the same time and is False."""
    try:
        _hasher.verify(password_hash or _nobody(_hasher), password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _nobody(hasher: PasswordHasher) -> str:
    return hasher.hash("nobody has this password")
