"""What the flows answer to a page, and where that leads the shopper."""

from __future__ import annotations

import json

from flask import redirect, url_for
from werkzeug.wrappers import Response

from app.checkout import flow
from app.payments import queries as payments


def present(outcome: flow.Outcome) -> flow.Answer:
    """Stored with the effect: a form that is sent twice is led to the same order."""
    body = {"number": outcome.order.number, "next": outcome.next_action_url}
    return flow.Answer(303, {}, json.dumps(body).encode())


def lead_on(answer: flow.Answer) -> Response:
    """To the gateway's page when the shopper has something to do there, else to the order's result."""
    said = json.loads(answer.body)
    # Told again, the first answer may be old news: what is to be done now is asked, not remembered.
    target = open_action(said["number"]) if answer.replayed else said["next"]
    return redirect(target or url_for("checkout.result", number=said["number"]), 303)


def open_action(number: str) -> str | None:
    """The gateway's page that waits for the shopper, if one does."""
    payment = payments.find_live_payment(number)
    if payment is None or payment.state != "requires_action":
        return None
    return payment.next_action_url
