"""Who is signed in on the pages: a signed cookie, checked against the account on every request.

ASVS 5.0, 7.3.1 and 7.3.2: idle and absolute limits; staff get shorter ones.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flask import Flask, g, redirect, request, session, url_for
from flask_login import UserMixin, login_user
from werkzeug.wrappers import Response

from app.accounts import queries, rules
from app.accounts.queries import Person
from app.extensions import login_manager
from app.kernel import clock

# (idle, absolute)
CUSTOMER_LIMITS = (timedelta(days=14), timedelta(days=90))
STAFF_LIMITS = (timedelta(minutes=30), timedelta(hours=8))
SEEN_EVERY = 60  # seconds between two rewrites of the cookie

SignInHook = Callable[[Person, Mapping[str, Any]], None]


class SignedIn(UserMixin):
    """Flask-Login's view of a person; templates read `current_user.name`, `.email`, `.role`, `.person`."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.id = str(person.id)
        self.name = person.name
        self.email = person.email
        self.role = person.role

    def may(self, permission: str) -> bool:
        return rules.may(self.role, permission)


def register(app: Flask) -> None:
    app.extensions.setdefault("sign_in_hooks", [])
    login_manager.session_protection = None  # phones change their address all day
    login_manager.user_loader(_load)
    login_manager.unauthorized_handler(_ask_to_sign_in)


def on_sign_in(app: Flask, hook: SignInHook) -> None:
    """`hook(person, guest_session)` runs in the transaction that signs somebody in on the pages."""
    app.extensions["sign_in_hooks"].append(hook)


def run_sign_in_hooks(app: Flask, person: Person) -> None:
    """Call inside `with transaction():`, before `begin_session`."""
    guest = dict(session)
    for hook in app.extensions["sign_in_hooks"]:
        hook(person, guest)


def begin_session(person: Person) -> None:
    """A new session: nothing of the guest's one survives (session fixation). Call after the commit."""
    session.clear()
    now = int(clock.now().timestamp())
    session.permanent = True
    session.update(epoch=person.session_epoch, began=now, seen=now)
    login_user(SignedIn(person))


def end_session() -> None:
    session.clear()
    g.pop("_login_user", None)


def _load(user_id: str) -> SignedIn | None:
    """One statement; None for whoever was deactivated, signed out everywhere, or away for too long."""
    try:
        person = queries.find_customer(uuid.UUID(user_id))
        epoch, began, seen = (int(session[name]) for name in ("epoch", "began", "seen"))
    except (ValueError, KeyError, TypeError):
        return None
    if person is None or not person.is_active or person.session_epoch != epoch:
        return None
    idle, absolute = STAFF_LIMITS if rules.is_staff(person.role) else CUSTOMER_LIMITS
    now = int(clock.now().timestamp())
    if now - seen > idle.total_seconds() or now - began > absolute.total_seconds():
        return None
    if now - seen > SEEN_EVERY:
        session["seen"] = now
    return SignedIn(person)


def _ask_to_sign_in() -> Response:
    target = request.full_path.rstrip("?") if request.method in {"GET", "HEAD"} else None
    return redirect(url_for("account.sign_in", next=target))
