"""Reward adjustments: a look at the result first, a second person where it is much, undone by a counter-entry."""

from __future__ import annotations

import uuid
from typing import Any

from flask import current_app, make_response, request
from sqlalchemy import func, or_, select
from sqlalchemy.orm import aliased

from app.accounts.models import Customer
from app.accounts.queries import find_customer, get_customer
from app.blueprints.backoffice.access import action, page, reader_may
from app.blueprints.backoffice.acting import NOTHING_TRIED, Answer, Attempt, perform, refused, typed
from app.blueprints.backoffice.adjusting import (
    Preview,
    digest_of,
    fresh_key,
    request_once,
    typed_wish,
    would_become,
)
from app.blueprints.backoffice.cells import badge, link, moment, signed, words
from app.blueprints.backoffice.filters import Choice, Rows, days
from app.blueprints.backoffice.lists import Column, StaffList, begins
from app.blueprints.common.actors import actor_from_request, current_person
from app.kernel.errors import Conflict, RuleBroken
from app.rewards import queries
from app.rewards.models import PointsAdjustment
from app.rewards.service import adjustments
from app.rewards.states import ADJUSTMENT

Owner, Maker = aliased(Customer), aliased(Customer)


class Adjustments(StaffList):
    permission = "rewards.read"
    title = "Adjustments"
    hint = "Customer’s e-mail"
    empty = "No adjustments match."
    columns = {
        "created_at": Column(
            "Asked (UTC)",
            lambda row: link(moment(row.created_at), "admin_adjustments.show", adjustment_id=row.id),
            PointsAdjustment.id,
        ),
        "points": Column("{points}", lambda row: signed(row.points), PointsAdjustment.points, is_number=True),
        "email": Column("Customer", lambda row: row.email),
        "reason": Column("Reason", lambda row: words(row.reason_code)),
        "state": Column("State", lambda row: badge(row.state)),
        "maker": Column("Asked by", lambda row: row.maker),
    }
    order_by = (PointsAdjustment.id.desc(),)
    narrow = (
        Choice("status", "State", PointsAdjustment.state, {s: words(s) for s in sorted(ADJUSTMENT.states)}),
        *days(PointsAdjustment.created_at),
    )

    def statement(self) -> Rows:
        adjustment = PointsAdjustment
        columns = (adjustment.id, adjustment.points, adjustment.reason_code, adjustment.state)
        return (
            select(*columns, adjustment.created_at, Owner.email.label("email"), Maker.name.label("maker"))
            .join(Owner, Owner.id == adjustment.customer_id)
            .outerjoin(Maker, Maker.id == adjustment.requested_by)
        )

    def search(self, statement: Rows, term: str) -> Rows:
        pattern = begins(term)
        found = (
            func.lower(Owner.email).like(pattern, escape="\\"),
            func.lower(Maker.email).like(pattern, escape="\\"),
        )
        return statement.where(or_(*found))

    @page("/new/<uuid:customer_id>", permission="rewards.adjust")
    def new(self, customer_id: uuid.UUID) -> str:
        return self._form(customer_id)

    @action("/new/<uuid:customer_id>", permission="rewards.adjust")
    def make(self, customer_id: uuid.UUID) -> Answer:
        """Shows what would come of it first; the second button does it, or shows again what was changed meanwhile."""
        again = lambda tried: self._form(customer_id, tried)  # noqa: E731
        try:
            wish = typed_wish(customer_id)
            if request.form.get("step") != "apply" or typed("seen") != digest_of(wish):
                preview = would_become(wish, actor_from_request())
                return make_response(
                    self._form(customer_id, Attempt("adjust", request.form.to_dict()), preview)
                )
        except (RuleBroken, Conflict) as error:
            return refused(error, form="adjust", again=again)
        return perform(
            lambda: request_once(typed("key"), wish, actor_from_request()),
            form="adjust",
            done=lambda made: _said(made.points, made.state),
            back=self.get_url("admin_customers.show", customer_id=customer_id),
            again=again,
        )

    @page("/<uuid:adjustment_id>")
    def show(self, adjustment_id: uuid.UUID) -> str:
        return self._page(adjustment_id)

    @action("/<uuid:adjustment_id>/approve", permission="rewards.approve")
    def approve(self, adjustment_id: uuid.UUID) -> Answer:
        return self._decide(
            adjustment_id, "approve", "Approved: the points have moved and the customer is told."
        )

    @action("/<uuid:adjustment_id>/reject", permission="rewards.approve")
    def reject(self, adjustment_id: uuid.UUID) -> Answer:
        return self._decide(adjustment_id, "reject", "Rejected: nothing has moved.")

    @action("/<uuid:adjustment_id>/undo", permission="rewards.adjust")
    def undo(self, adjustment_id: uuid.UUID) -> Answer:
        return self._decide(adjustment_id, "undo", "The counter-entry is made, or waits for approval.")

    def _decide(self, adjustment_id: uuid.UUID, verb: str, done: str) -> Answer:
        def work() -> None:
            about: dict[str, Any] = {"adjustment_id": adjustment_id, "note": typed("note")}
            if verb != "reject":
                about["rules"] = queries.rules_in_force()
            getattr(adjustments, verb)(**about, actor=actor_from_request())

        return perform(
            work,
            form=verb,
            done=done,
            back=self.get_url(".show", adjustment_id=adjustment_id),
            again=lambda tried: self._page(adjustment_id, tried),
        )

    def _form(
        self, customer_id: uuid.UUID, tried: Attempt = NOTHING_TRIED, preview: Preview | None = None
    ) -> str:
        return self.render(
            "admin/adjustment_form.html",
            person=get_customer(customer_id),
            balance=queries.get_balance(customer_id),
            reasons=queries.rules_in_force().adjustments.reasons,
            preview=preview,
            key=tried.value("adjust", "key") or fresh_key(),
            tried=tried,
        )

    def _page(self, adjustment_id: uuid.UUID, tried: Attempt = NOTHING_TRIED) -> str:
        found = queries.get_adjustment(adjustment_id)
        reader = current_person()
        assert reader is not None
        waits = found.state == "awaiting_approval" and found.batch_id is None
        by_another = reader.id not in (found.requested_by, found.customer_id)
        return self.render(
            "admin/adjustment.html",
            adjustment=found,
            person=get_customer(found.customer_id),
            balance=queries.get_balance(found.customer_id),
            maker=_name(found.requested_by),
            decider=_name(found.decided_by),
            waits=waits,
            may_decide=waits and by_another and reader_may("rewards.approve"),
            may_undo=found.state == "applied" and found.reversal_of is None and reader_may("rewards.adjust"),
            tried=tried,
        )


def _said(points: int, state: str) -> str:
    unit = current_app.config["POINTS_NAME"]
    if state == "awaiting_approval":
        return f"Asked for: {points:+,} {unit} wait for somebody else’s approval."
    return f"Done: {points:+,} {unit}. The customer gets a mail."


def _name(person_id: uuid.UUID | None) -> str | None:
    person = find_customer(person_id) if person_id else None
    return person.name if person else None
