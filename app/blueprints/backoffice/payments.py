"""The card side: attempts, differences with the gateway's books, and its callbacks as they came."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import or_, select

from app.accounts.queries import find_customer
from app.blueprints.backoffice.access import action, page
from app.blueprints.backoffice.acting import NOTHING_TRIED, Answer, Attempt, carry_out, perform, typed
from app.blueprints.backoffice.cells import NOTHING, ago, amount, badge, link, moment, words
from app.blueprints.backoffice.filters import Choice, Rows, days
from app.blueprints.backoffice.history import history_of
from app.blueprints.backoffice.lists import Column, StaffList
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.checkout import gateway
from app.checkout import by_hand
from app.gateways.asking import ask_again
from app.payments import disputes, issues, queries
from app.payments.gateway import Unknown
from app.payments.models import Payment, ReconciliationIssue, WebhookEvent
from app.payments.rules import REFUND_DIFFERS
from app.payments.shown import spell
from app.payments.states import ISSUE, OPEN, PAYMENT, WEBHOOK

T = TypeVar("T")
NOTED = "Noted. A refund of the order does not send that money again."
CAME_BACK = "Noted. What refunds of the order had counted on is sent again."
Difference, Event = ReconciliationIssue, WebhookEvent


class Payments(StaffList):
    permission = "payments.read"
    title = "Payments"
    hint = "Order number, gateway reference or last four digits"
    empty = "No payments match."
    columns = {
        "reference": Column(
            "Order",
            lambda row: link(row.reference, "admin_payments.show", payment_id=row.id),
            Payment.reference,
        ),
        "created_at": Column("Begun (UTC)", lambda row: moment(row.created_at), Payment.created_at),
        "state": Column("State", lambda row: badge(row.state)),
        "decline": Column("Decline", lambda row: row.decline_code or NOTHING),
        "card": Column(
            "Card", lambda row: f"{row.card_brand} {row.card_last4}" if row.card_last4 else NOTHING
        ),
        "amount": Column(
            "Amount", lambda row: amount(row.amount, row.currency), Payment.amount, is_number=True
        ),
        "refunded": Column(
            "Given back", lambda row: amount(row.refunded or None, row.currency), is_number=True
        ),
    }
    order_by = (Payment.created_at.desc(), Payment.id.desc())
    narrow = (
        Choice("status", "State", Payment.state, {state: words(state) for state in sorted(PAYMENT.states)}),
        *days(Payment.created_at),
    )

    def statement(self) -> Rows:
        names = "id reference created_at state decline_code card_brand card_last4 amount refunded currency"
        return select(*(getattr(Payment, name) for name in names.split()))

    def search(self, statement: Rows, term: str) -> Rows:
        found = (Payment.reference == term.upper(), Payment.gateway_ref == term, Payment.card_last4 == term)
        return statement.where(or_(*found))

    @page("/<uuid:payment_id>")
    def show(self, payment_id: uuid.UUID) -> str:
        return self._page(payment_id)

    @action("/<uuid:payment_id>/ask", permission="payments.ask")
    def ask(self, payment_id: uuid.UUID) -> Answer:
        who = actor_from_request()
        return self._carry_out(
            payment_id,
            lambda: ask_again(payment_id=payment_id, gateway=gateway(), actor=who),
            form="ask",
            done=_told,
        )

    @action("/<uuid:payment_id>/accept", permission="payments.settle")
    def accept(self, payment_id: uuid.UUID) -> Answer:
        note, who = typed("note"), actor_from_request()
        return self._carry_out(
            payment_id,
            lambda: by_hand.accept(payment_id=payment_id, note=note, gateway=gateway(), actor=who),
            form="accept",
            done=lambda status: f"Accepted. The order is {words(status).lower()} now.",
        )

    @action("/<uuid:payment_id>/outside", permission="payments.settle")
    def note_refund(self, payment_id: uuid.UUID) -> Answer:
        note, who = typed("note"), actor_from_request()
        return self._carry_out(
            payment_id,
            lambda: by_hand.note_refund(payment_id=payment_id, note=note, gateway=gateway(), actor=who),
            form="outside",
            done=lambda new: NOTED if new > 0 else CAME_BACK,
        )

    def _carry_out(
        self, payment_id: uuid.UUID, flow: Callable[[], T], *, form: str, done: str | Callable[[T], str]
    ) -> Answer:
        back = self.get_url(".show", payment_id=payment_id)
        return carry_out(
            flow, form=form, done=done, back=back, again=lambda tried: self._page(payment_id, tried)
        )

    def _page(self, payment_id: uuid.UUID, tried: Attempt = NOTHING_TRIED) -> str:
        payment = queries.get_payment(payment_id)
        differs = issues.find_issue(REFUND_DIFFERS, str(payment_id))
        refs = [payment.gateway_ref] if payment.gateway_ref else []
        return self.render(
            "admin/payment.html",
            payment=payment,
            refunds=queries.list_refunds_of(payment_id),
            callbacks=queries.list_webhooks_about(refs),
            disputes=disputes.list_disputes_of([payment_id]),
            in_doubt=payment.state in OPEN and (payment.last_error or "").startswith("mismatch"),
            refund_differs=differs is not None and differs.state == "open",
            audit=history_of("payment", str(payment_id)),
            tried=tried,
        )


def _told(answer: tuple[Any, str]) -> str:
    truth, state = answer
    if isinstance(truth, Unknown):
        return (
            f"The gateway gave no clear word ({truth.reason}). The payment is {words(state).lower()} still."
        )
    return f"The gateway has been asked. The payment is {words(state).lower()}."


class Differences(StaffList):
    permission = "payments.read"
    title = "Reconciliation"
    hint = "Reference"
    empty = "No differences: our books and the gateway’s say the same."
    columns = {
        "kind": Column(
            "What", lambda row: link(words(row.kind), "admin_issues.show", kind=row.kind, ref=row.ref)
        ),
        "ref": Column("Reference", lambda row: row.ref),
        "state": Column("State", lambda row: badge(row.state)),
        "suggestion": Column("Suggestion", lambda row: row.suggestion if row.state == "open" else NOTHING),
        "age": Column("Age", lambda row: ago(row.first_seen_at), Difference.first_seen_at, is_number=True),
    }
    order_by = (Difference.state != "open", Difference.first_seen_at, Difference.kind, Difference.ref)
    narrow = (Choice("status", "State", Difference.state, {s: words(s) for s in sorted(ISSUE.states)}),)

    def statement(self) -> Rows:
        columns = (Difference.kind, Difference.ref, Difference.state, Difference.suggestion)
        return select(*columns, Difference.first_seen_at)

    def search(self, statement: Rows, term: str) -> Rows:
        return statement.where(Difference.ref == term)

    @page("/<kind>/<path:ref>")
    def show(self, kind: str, ref: str) -> str:
        return self._page(kind, ref)

    @action("/<kind>/<path:ref>", permission="payments.settle")
    def resolve(self, kind: str, ref: str) -> Answer:
        return perform(
            lambda: issues.resolve_issue(kind=kind, ref=ref, note=typed("note"), actor=actor_from_request()),
            form="resolve",
            done="Resolved, with your note.",
            back=self.get_url(".show", kind=kind, ref=ref),
            again=lambda tried: self._page(kind, ref, tried),
        )

    def _page(self, kind: str, ref: str, tried: Attempt = NOTHING_TRIED) -> str:
        issue = queries.get_issue(kind, ref)
        payment = queries.find_payment_by_key(str(issue.detail.get("payment")))
        return self.render(
            "admin/issue.html",
            issue=issue,
            detail=spell(issue.detail, ref=ref),
            resolved_by=_person(issue.resolved_by),
            payment_id=payment.id if payment else None,
            audit=history_of("reconciliation_issue", f"{kind}:{ref}"),
            tried=tried,
        )


def _person(actor: str | None) -> str | None:
    """Somebody's address in place of the id that the books keep of them; programs have their name."""
    try:
        found = find_customer(uuid.UUID((actor or "").rpartition(":")[2]))
    except ValueError:
        return actor
    return found.email if found else actor


class Callbacks(StaffList):
    permission = "payments.read"
    title = "Callbacks"
    hint = "Event id or gateway reference"
    empty = "No callbacks match."
    columns = {
        "event": Column(
            "Event",
            lambda row: link(row.event_id, "admin_webhooks.show", gateway=row.gateway, event_id=row.event_id),
        ),
        "type": Column("Type", lambda row: row.type),
        "object_ref": Column("About", lambda row: row.object_ref or NOTHING),
        "state": Column("State", lambda row: badge(row.state)),
        "attempts": Column("Tries", lambda row: row.attempts, is_number=True),
        "received_at": Column("Received (UTC)", lambda row: moment(row.received_at), Event.received_at),
    }
    order_by = (Event.received_at.desc(), Event.gateway, Event.event_id)
    narrow = (
        Choice("status", "State", Event.state, {state: words(state) for state in sorted(WEBHOOK.states)}),
        *days(Event.received_at),
    )

    def statement(self) -> Rows:
        columns = (Event.gateway, Event.event_id, Event.type, Event.object_ref, Event.state)
        return select(*columns, Event.attempts, Event.received_at)

    def search(self, statement: Rows, term: str) -> Rows:
        return statement.where(or_(Event.event_id == term, Event.object_ref == term))

    @page("/<gateway>/<event_id>")
    def show(self, gateway: str, event_id: str) -> str:
        event = queries.get_webhook(gateway, event_id)
        return self.render("admin/webhook.html", event=event, raw=_readable(event.raw))


def _readable(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
