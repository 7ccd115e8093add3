"""API tokens: a short access token, a refresh token that turns over, and a family that dies of reuse.

RFC 9700, 4.14.2: a refresh token that is presented twice has been stolen, from the client or from us.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import insert, select, update

from app.accounts import errors, queries
from app.accounts.models import ApiToken, Customer
from app.accounts.queries import Bearer, Person
from app.kernel import clock, ids
from app.kernel.database import session


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """Shown once, never stored. `expires_in` in seconds, of the access token."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """In seconds."""

    access: int
    refresh: int


def issue_tokens(*, person: Person, lifetimes: Lifetimes, user_agent: str | None) -> IssuedTokens:
    """A new family for this device. The epoch is the one that was read with the password."""
    return _issue(ids.uuid7(), person.id, person.session_epoch, lifetimes, user_agent)


def get_bearer(access_token: str) -> Bearer:
    """Who calls. Raises Unauthenticated `TOKEN_INVALID` or `TOKEN_EXPIRED`."""
    bearer = queries.find_bearer(access_token)
    if bearer is None or not bearer.alive:
        raise errors.token_invalid()
    if bearer.access_expires_at <= clock.now():
        raise errors.token_expired()
    return bearer


def refresh_tokens(
    *, refresh_token: str, lifetimes: Lifetimes, user_agent: str | None
) -> IssuedTokens | None:
    """The next pair of the family; the old pair is dead.

    None: refused. The caller must commit all the same, because a reused token has just ended its family.
    """
    row = session().execute(
        select(ApiToken, Customer.is_active, Customer.session_epoch)
        .join(Customer, Customer.id == ApiToken.customer_id)
        .where(ApiToken.refresh_hash == ids.fingerprint(refresh_token))
        .with_for_update(of=ApiToken)
    ).first()  # fmt: skip
    if row is None:
        return None
    token, now = row.ApiToken, clock.now()
    if token.refreshed_at is not None:
        _revoke_family(token.family_id)
        return None
    current = row.is_active and row.session_epoch == token.session_epoch
    if token.revoked_at is not None or token.refresh_expires_at <= now or not current:
        return None
    token.refreshed_at = now
    return _issue(token.family_id, token.customer_id, token.session_epoch, lifetimes, user_agent)


def revoke_token(*, bearer: Bearer) -> None:
    """Sign this device out: the whole family ends."""
    _revoke_family(bearer.family_id)


def _issue(
    family_id: uuid.UUID, customer_id: uuid.UUID, epoch: int, lifetimes: Lifetimes, user_agent: str | None
) -> IssuedTokens:
    access, refresh, now = ids.secret_token("mpc_at"), ids.secret_token("mpc_rt"), clock.now()
    session().execute(
        insert(ApiToken).values(
            id=ids.uuid7(),
            family_id=family_id,
            customer_id=customer_id,
            session_epoch=epoch,
            access_hash=ids.fingerprint(access),
            refresh_hash=ids.fingerprint(refresh),
            created_at=now,
            access_expires_at=now + timedelta(seconds=lifetimes.access),
            refresh_expires_at=now + timedelta(seconds=lifetimes.refresh),
            user_agent=user_agent,
        )
    )
    return IssuedTokens(access, refresh, lifetimes.access)


def _revoke_family(family_id: uuid.UUID) -> None:
    session().execute(
        update(ApiToken)
        .where(ApiToken.family_id == family_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )
