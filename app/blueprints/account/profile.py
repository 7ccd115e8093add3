"""Name, language of mails, and password."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from app.accounts import service as accounts
from app.blueprints.account.blueprint import bp
from app.blueprints.account.forms import PasswordForm, ProfileForm
from app.blueprints.common import sessions
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.forms import show_refusal
from app.kernel.database import transaction
from app.kernel.errors import RuleBroken

PASSWORD_FIELDS = {"current_password": "current", "new_password": "new"}


@bp.route("/profile", methods=["GET", "POST"])
@login_required
def profile() -> str | Response | tuple[str, int]:
    action = request.form.get("action")
    form = ProfileForm(obj=current_user.person, formdata=request.form if action == "profile" else None)
    password_form = PasswordForm(prefix="pw", formdata=request.form if action == "password" else None)
    if request.method == "GET":
        return _page(form, password_form, 200)
    if action == "password":
        done = password_form.validate() and _change_password(password_form)
    else:
        done = form.validate() and _change_profile(form)
    return redirect(url_for("account.profile")) if done else _page(form, password_form, 422)


def _change_profile(form: ProfileForm) -> bool:
    try:
        with transaction():
            accounts.change_profile(
                actor=actor_from_request(),
                customer_id=current_user.person.id,
                name=form.name.data,
                locale=form.locale.data,
            )
    except RuleBroken as error:
        if not show_refusal(form, error):
            raise
        return False
    flash("Your profile was saved.", "success")
    return True


def _change_password(form: PasswordForm) -> bool:
    """Ends every session, and begins this one anew."""
    try:
        with transaction():
            person = accounts.change_password(
                actor=actor_from_request(),
                customer_id=current_user.person.id,
                current=form.current.data,
                new=form.new.data,
            )
    except RuleBroken as error:
        if not show_refusal(form, error, PASSWORD_FIELDS):
            raise
        return False
    sessions.begin_session(person)
    flash("Your password was changed. Every other device is signed out.", "success")
    return True


def _page(form: ProfileForm, password_form: PasswordForm, status: int) -> tuple[str, int]:
    page = render_template(
        "pages/account/profile.html", form=form, password_form=password_form, forms=[form, password_form]
    )
    return page, status
