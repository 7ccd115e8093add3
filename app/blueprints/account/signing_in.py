"""Creating an account, signing in, signing out."""

from __future__ import annotations

from flask import current_app, flash, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import service as accounts
from app.accounts.queries import Person
from app.blueprints.account.blueprint import bp
from app.blueprints.account.forms import RegisterForm, SignInForm
from app.blueprints.common import limits, sessions
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.forms import show_refusal
from app.blueprints.common.joining import join
from app.blueprints.common.redirects import safe_next
from app.kernel.database import transaction
from app.kernel.errors import Conflict, RuleBroken, Unauthenticated

Answer = str | Response | tuple[str, int]


def register() -> Answer:
    if current_user.is_authenticated:
        return redirect(_target())
    form = RegisterForm()
    if not form.validate_on_submit():
        return _register_page(form, 422 if form.is_submitted() else 200)
    try:
        with transaction():
            person = join(
                actor=actor_from_request(),
                email=form.email.data,
                password=form.password.data,
                name=form.name.data,
            )
            sessions.run_sign_in_hooks(current_app, person)
    except (RuleBroken, Conflict) as error:
        if not show_refusal(form, error):
            raise
        return _register_page(form, 422)
    return _welcome(person, f"Welcome, {person.name}. Your account is ready.")


def sign_in() -> Answer:
    if current_user.is_authenticated:
        return redirect(_target())
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form, 422 if form.is_submitted() else 200)
    try:
        person = accounts.authenticate(email=form.email.data, password=form.password.data)
    except Unauthenticated as error:
        form.password.errors = [error.message]
        return _sign_in_page(form, 401)
    with transaction():
        sessions.run_sign_in_hooks(current_app, person)
    return _welcome(person, f"You are signed in as {person.name}.")


@bp.post("/sign-out")
def sign_out() -> Response:
    sessions.end_session()
    flash("You are signed out.", "success")
    return redirect(url_for("shop.home"))


bp.add_url_rule("/register", "register", limits.limited(register, "register"), methods=["GET", "POST"])
bp.add_url_rule("/sign-in", "sign_in", limits.limited(sign_in, "sign_in"), methods=["GET", "POST"])


def _welcome(person: Person, message: str) -> Response:
    target = _target()
    sessions.begin_session(person)
    flash(message, "success")
    return redirect(target)


def _target() -> str:
    return safe_next(url_for("account.overview"))


def _register_page(form: RegisterForm, status: int) -> tuple[str, int]:
    return render_template("pages/account/register.html", form=form, next=safe_next("")), status


def _sign_in_page(form: SignInForm, status: int) -> tuple[str, int]:
    page = render_template(
        "pages/account/sign_in.html",
        form=form,
        next=safe_next(""),
        demo_people=current_app.config.get("DEMO_PEOPLE", []),
        demo_password=current_app.config.get("DEMO_PASSWORD", ""),
    )
    return page, status
