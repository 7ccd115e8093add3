"""Registering, signing in and out, and refreshing, by token."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, current_app, g, request
from msgspec import Meta, Struct

from app.accounts import errors
from app.accounts import service as accounts
from app.accounts.queries import Person
from app.accounts.service import IssuedTokens
from app.accounts.service.tokens import Lifetimes
from app.blueprints.api_v1.answers import Answer, answer
from app.blueprints.api_v1.contract import endpoint
from app.blueprints.api_v1.me import Customer
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.joining import join
from app.kernel.database import transaction

bp = Blueprint("auth", __name__, url_prefix="/auth")

Email = Annotated[str, Meta(min_length=3, max_length=254, examples=["mei@example.com"])]
Password = Annotated[str, Meta(min_length=1, max_length=1024, examples=["four quiet harbour lamps"])]

TOTP = (
    "The code of the second factor, for accounts that have one. No account can set one up yet: apps may send the "
    "field, and as long as the account has no second factor nothing is compared with it."
)


class RegisterBody(Struct, kw_only=True, forbid_unknown_fields=True):
    email: Email
    password: Password
    name: Annotated[str, Meta(min_length=1, max_length=200, examples=["Mei Chan"])]


class SignInBody(Struct, kw_only=True, forbid_unknown_fields=True):
    email: Email
    password: Password
    totp: Annotated[str, Meta(pattern="^[0-9]{6}$", description=TOTP)] | None = None


class RefreshBody(Struct, kw_only=True, forbid_unknown_fields=True):
    refresh_token: Annotated[str, Meta(min_length=1, max_length=200)]


class Tokens(Struct):
    """`expires_in` in seconds, of the access token. Both tokens are shown once."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int

    @classmethod
    def of(cls, issued: IssuedTokens) -> Tokens:
        return cls(issued.access_token, issued.refresh_token, "Bearer", issued.expires_in)


class Registered(Struct):
    customer: Customer
    tokens: Tokens


@bp.post("/register")
@endpoint(
    "Create an account",
    auth="public",
    body=RegisterBody,
    returns={201: Registered},
    limit="register",
    errors=("EMAIL_IN_USE",),
)
def register(body: RegisterBody) -> Answer:
    with transaction():
        person = join(actor=actor_from_request(), email=body.email, password=body.password, name=body.name)
        tokens = _issue(person)
    return answer(
        Registered(Customer.of(person), Tokens.of(tokens)), status=201, message="Your account was created."
    )


@bp.post("/tokens")
@endpoint(
    "Sign in",
    auth="public",
    body=SignInBody,
    returns={201: Tokens},
    limit="sign_in",
    errors=("CREDENTIALS_INVALID",),
)
def sign_in(body: SignInBody) -> Answer:
    person = accounts.authenticate(email=body.email, password=body.password)
    with transaction():
        tokens = _issue(person)
    return answer(Tokens.of(tokens), status=201, message="You are signed in.")


@bp.post("/tokens/refresh")
@endpoint(
    "Turn a refresh token into a new pair",
    auth="public",
    body=RefreshBody,
    returns={201: Tokens},
    errors=("TOKEN_INVALID",),
)
def refresh(body: RefreshBody) -> Answer:
    with transaction():
        tokens = accounts.refresh_tokens(
            refresh_token=body.refresh_token, lifetimes=_lifetimes(), user_agent=_agent()
        )
    if tokens is None:  # after the commit: a reused token has just ended its family
        raise errors.token_invalid()
    return answer(Tokens.of(tokens), status=201, message="The tokens were renewed.")


@bp.delete("/tokens/current")
@endpoint("Sign out", auth="customer", returns={200: None}, limit="write")
def sign_out() -> Answer:
    with transaction():
        accounts.revoke_token(bearer=g.bearer)
    return answer(None, message="You are signed out.")


def _issue(person: Person) -> IssuedTokens:
    return accounts.issue_tokens(person=person, lifetimes=_lifetimes(), user_agent=_agent())


def _lifetimes() -> Lifetimes:
    config = current_app.config
    return Lifetimes(access=config["ACCESS_TOKEN_SECONDS"], refresh=config["REFRESH_TOKEN_SECONDS"])


def _agent() -> str | None:
    return (request.user_agent.string or "")[:300] or None
