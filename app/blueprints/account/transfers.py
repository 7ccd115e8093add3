"""Points to another member: asked for here, confirmed by the link in the sender's mail."""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import partial

from flask import current_app, flash, redirect, render_template, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from app.blueprints.account.blueprint import bp
from app.blueprints.account.forms import TransferForm
from app.blueprints.common import limits
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.errors import status_of
from app.blueprints.common.forms import show_refusal
from app.blueprints.common.transfer_links import transfer_of
from app.blueprints.common.typed import read_points
from app.kernel import clock
from app.kernel.database import run_atomically
from app.kernel.errors import Conflict, NotFound, RuleBroken
from app.rewards import queries
from app.rewards.queries.transfers import Transfer, get_sent, get_transfer, list_transfers
from app.rewards.service import transfers as service

Answer = str | Response | tuple[str, int]
WAITS = "awaiting_confirmation"


@login_required
def transfers() -> Answer:
    form = TransferForm()
    if not form.validate_on_submit():
        return _page(form), 422 if form.is_submitted() else 200
    points = read_points(form.points.data)
    if points is None:
        form.points.errors = ["Enter how many as a whole number, like 1,500."]
        return _page(form), 422
    work = partial(
        service.request,
        sender_id=current_user.person.id,
        recipient_email=form.email.data,
        points=points,
        rules=queries.rules_in_force(),
        actor=actor_from_request(),
    )
    try:
        run_atomically(work)
    except (RuleBroken, Conflict) as error:
        errors = [] if show_refusal(form, error) else [{"field": "", "message": error.message}]
        return _page(form, errors), status_of(error)
    flash("We have sent you a mail. Nothing moves until you open the link in it.", "success")
    return redirect(url_for("account.transfers"), 303)


@bp.post("/miles/transfers/<uuid:transfer_id>/cancel")
@login_required
def transfer_cancel(transfer_id: uuid.UUID) -> Response:
    _own(transfer_id)
    try:
        run_atomically(partial(service.cancel, transfer_id=transfer_id, actor=actor_from_request()))
    except Conflict as error:
        flash(error.message, "error")
    else:
        flash("The transfer is cancelled. Nothing has moved.", "success")
    return redirect(url_for("account.transfers"), 303)


@bp.get("/miles/transfers/confirm/<token>")
@login_required
def transfer_confirm(token: str) -> str:
    """What the link would do; it is done by the button, so that nothing that only follows links can do it."""
    return _confirmation(_own(transfer_of(token)), token)


@bp.post("/miles/transfers/confirm/<token>")
@login_required
def transfer_confirmed(token: str) -> Answer:
    transfer = _own(transfer_of(token))
    work = partial(
        service.confirm, transfer_id=transfer.id, rules=queries.rules_in_force(), actor=actor_from_request()
    )
    try:
        done = run_atomically(work)
    except (RuleBroken, Conflict) as error:
        return _confirmation(_own(transfer.id), token, error.message), status_of(error)
    flash(
        f"{done.points:,} {current_app.config['POINTS_NAME']} are sent to {done.recipient_email}.", "success"
    )
    return redirect(url_for("account.transfers"), 303)


bp.add_url_rule("/miles/transfers", "transfers", limits.limited(transfers, "write"), methods=["GET", "POST"])


def _own(transfer_id: uuid.UUID) -> Transfer:
    """Raises NotFound, for a transfer of somebody else as well."""
    transfer = get_transfer(transfer_id)
    if transfer.sender_id != current_user.person.id:
        raise NotFound("There is nothing at this address.")
    return transfer


def _page(form: TransferForm, errors: list[dict[str, str]] | None = None) -> str:
    me, now, in_force = current_user.person.id, clock.now(), queries.rules_in_force()
    rules = in_force.transfers
    listed = list_transfers(me)
    live = [one for one in listed if one.state == WAITS and one.confirm_until > now]
    return render_template(
        "pages/account/transfers.html",
        form=form,
        me=me,
        available=queries.get_spendable(me),
        limits=rules,
        grace_days=in_force.release_grace_days,
        left_today=max(0, rules.per_day - get_sent(me, since=now - timedelta(hours=24))),
        left_this_year=max(0, rules.per_year - get_sent(me, since=now - timedelta(days=365))),
        waiting=live[0] if live else None,
        transfers=listed,
        errors=errors or [],
    )


def _confirmation(transfer: Transfer, token: str, problem: str | None = None) -> str:
    return render_template(
        "pages/account/transfer.html",
        transfer=transfer,
        token=token,
        is_late=transfer.state == WAITS and transfer.confirm_until <= clock.now(),
        errors=[{"field": "", "message": problem}] if problem else [],
    )
