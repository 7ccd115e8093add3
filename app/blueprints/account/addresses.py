"""The address book."""

from __future__ import annotations

import uuid

from flask import current_app, flash, redirect, render_template, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from app.accounts import queries
from app.accounts import service as accounts
from app.blueprints.account.blueprint import bp
from app.blueprints.common.forms import AddressForm, show_refusal
from app.blueprints.common.redirects import safe_next
from app.kernel.database import transaction
from app.kernel.errors import RuleBroken

Answer = str | Response | tuple[str, int]


@bp.get("/addresses")
@login_required
def addresses() -> str:
    rows = queries.list_addresses(current_user.person.id)
    return render_template("pages/account/addresses.html", addresses=rows)


@bp.route("/addresses/new", methods=["GET", "POST"])
@login_required
def address_new() -> Answer:
    form = AddressForm()
    if form.is_submitted() and form.validate() and _save(form, None):
        flash("The address was added.", "success")
        return redirect(safe_next(url_for("account.addresses")))
    return _page(form, "Add an address", url_for("account.address_new"))


@bp.route("/addresses/<uuid:address_id>/edit", methods=["GET", "POST"])
@login_required
def address_edit(address_id: uuid.UUID) -> Answer:
    row = queries.get_address(customer_id=current_user.person.id, address_id=address_id)
    form = AddressForm(obj=row)
    if form.is_submitted() and form.validate() and _save(form, address_id):
        flash("The address was saved.", "success")
        return redirect(url_for("account.addresses"))
    return _page(form, "Edit address", url_for("account.address_edit", address_id=address_id))


@bp.post("/addresses/<uuid:address_id>/delete")
@login_required
def address_delete(address_id: uuid.UUID) -> Response:
    with transaction():
        accounts.delete_address(customer_id=current_user.person.id, address_id=address_id)
    flash("The address was deleted.", "success")
    return redirect(url_for("account.addresses"))


def _save(form: AddressForm, address_id: uuid.UUID | None) -> bool:
    """A new address, or the one with this id. False: refused, and the form says why."""
    customer_id, countries = current_user.person.id, current_app.config["COUNTRIES"]
    data, first = form.to_data(), form.is_default.data
    try:
        with transaction():
            if address_id is None:
                accounts.create_address(
                    customer_id=customer_id, data=data, countries=countries, is_default=first
                )
            else:
                accounts.update_address(
                    customer_id=customer_id,
                    address_id=address_id,
                    data=data,
                    countries=countries,
                    is_default=first,
                )
    except RuleBroken as error:
        if not show_refusal(form, error):
            raise
        return False
    return True


def _page(form: AddressForm, heading: str, action_url: str) -> tuple[str, int]:
    page = render_template(
        "pages/account/address_form.html", form=form, heading=heading, action_url=action_url
    )
    return page, 422 if form.is_submitted() else 200
