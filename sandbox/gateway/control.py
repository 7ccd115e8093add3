"""The control page at / and the same as JSON under /control: see everything, and break what should break.

No key is asked for: it listens on 127.0.0.1 only. A page of another site may not post to it.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.gateway import eventlog
from sandbox.gateway.errors import ApiError, invalid, not_found
from sandbox.gateway.events import public
from sandbox.gateway.settings import FAULTS, MODES, TUNING
from sandbox.gateway.store import set_ahead
from sandbox.gateway.validation import amount_of, known, read_amount, whole_number
from sandbox.gateway.wire import bank, json_body, refuse, reply

bp = Blueprint("control", __name__)


@bp.before_request
def same_site() -> None:
    if request.method != "GET" and request.headers.get("Sec-Fetch-Site", "none") not in (
        "none",
        "same-origin",
    ):
        raise ApiError(403, "forbidden", "cross_site", "Only from the control page itself.")


@bp.errorhandler(ApiError)
def explain(error: ApiError) -> Response | tuple[str, int]:
    if request.path.startswith("/control"):
        return refuse(error)
    return render_template("message.html", title="Not possible", text=error.message), error.status


def state() -> dict[str, Any]:
    settings = bank().settings
    counts = {
        row["state"]: row["n"]
        for row in bank().store.all("SELECT state, count(*) AS n FROM deliveries GROUP BY state")
    }
    webhooks = {**settings.webhooks, "secrets": len(settings.webhooks["secrets"])}
    return {
        "seed": bank().store.seed,
        "tuning": settings.tuning,
        "faults": settings.faults,
        "dead": settings.dead,
        "webhooks": webhooks,
        "deliveries": counts,
    }


@bp.get("/control")
def show_state() -> Response:
    return reply(200, state())


@bp.post("/control/reset")
def reset() -> Response:
    """Forget all payments and events, end all faults, send webhooks again."""
    bank().store.clear()
    bank().delivery.calm(3)  # who resets does not want to hear of the time before
    bank().settings.clear_faults()
    bank().settings.set_webhooks({"mode": "send"})
    set_ahead(0)
    return reply(200, state())


@bp.post("/control/tuning")
def tune() -> Response:
    bank().settings.tune(json_body())
    return reply(200, state())


@bp.post("/control/faults")
def set_fault() -> Response:
    body = json_body()
    known(body, {"fault", "probability", "next", "on"})
    bank().settings.set_fault(body.pop("fault", None), **body)
    return reply(200, state())


@bp.delete("/control/faults")
def clear_faults() -> Response:
    bank().settings.clear_faults()
    return reply(200, state())


@bp.post("/control/dead")
def set_dead() -> Response:
    body = json_body()
    known(body, {"dead"})
    bank().settings.set_dead(body.get("dead", False))
    bank().store.on_work()
    return reply(200, state())


@bp.post("/control/webhooks")
def set_webhooks() -> Response:
    body = json_body()
    known(body, {"mode", "url", "secrets"})
    bank().settings.set_webhooks(body)
    bank().store.on_work()
    return reply(200, state())


@bp.post("/control/webhooks/flush")
def flush() -> Response:
    """Send what is held (or pending) now, one after the other: `events` says which and in what order."""
    body = json_body()
    known(body, {"events", "order"})
    return reply(200, {"attempts": eventlog.flush(bank(), body.get("events"), body.get("order", "oldest"))})


@bp.post("/control/advance")
def advance() -> Response:
    """Let what is due within `seconds` (webhooks, late captures, disputes, pending refunds) happen now."""
    body = json_body()
    known(body, {"seconds"})
    bank().delivery.advance(whole_number({"seconds": str(body.get("seconds", ""))}, "seconds", 0, 0, 10**7))
    return reply(200, state())


@bp.post("/control/clock")
def set_clock() -> Response:
    """Run `ahead_seconds` before the machine's clock: what is due by then happens, and times say so."""
    body = json_body()
    known(body, {"ahead_seconds"})
    ahead = whole_number({"s": str(body.get("ahead_seconds", ""))}, "s", 0, 0, 10**9)
    set_ahead(ahead)
    bank().store.on_work()
    return reply(200, state())


@bp.get("/control/events")
def list_events() -> Response:
    after = whole_number(request.args, "after", 0, 0, 2**62)
    limit = whole_number(request.args, "limit", 100, 1, 1000)
    events = eventlog.listed(bank(), payment=request.args.get("payment"), after=after, limit=limit)
    return reply(200, {"data": events, "next": events[-1]["number"] if events else after})


@bp.post("/control/events/<event_id>/<action>")
def act_on_event(event_id: str, action: str) -> Response:
    return reply(200, {"attempts": eventlog.act(bank(), event_id, action)})


@bp.post("/control/payments/<payment_id>/<action>")
def act_on_payment(payment_id: str, action: str) -> Response:
    return reply(200, _act(payment_id, action, read_amount(json_body()) if action == "dispute" else None))


def _act(payment_id: str, action: str, amount: int | None) -> dict[str, Any]:
    payments, refunds = bank().payments, bank().refunds
    actions = {
        "paid": lambda: payments.settle(payment_id, "paid"),
        "declined": lambda: payments.settle(payment_id, "declined"),
        "cancel": lambda: payments.cancel(payment_id),
        "late-authorize": lambda: payments.late_authorize(payment_id),
        "dispute": lambda: refunds.open_dispute(payment_id, "fraudulent", amount=amount),
    }
    if action not in actions:
        raise not_found("action")
    return actions[action]()


@bp.post("/control/refunds/<refund_id>/<outcome>")
def settle_refund(refund_id: str, outcome: str) -> Response:
    if outcome not in ("succeeded", "failed"):
        raise not_found("action")
    return reply(200, bank().refunds.settle(refund_id, outcome))


@bp.post("/control/disputes/<dispute_id>/<outcome>")
def close_dispute(dispute_id: str, outcome: str) -> Response:
    return reply(200, _decide(dispute_id, outcome, read_amount(json_body())))


def _decide(dispute_id: str, outcome: str, amount: int | None) -> dict[str, Any]:
    if outcome not in ("won", "lost"):
        raise not_found("action")
    return bank().refunds.close_dispute(dispute_id, outcome, amount=amount)


# the page
@bp.get("/")
def page() -> str:
    payments, disputes = _newest("payment"), _newest("dispute")
    return render_template(
        "control.html",
        payments=payments,
        disputes=[one for one in disputes if one["status"] == "open"],
        events=eventlog.newest(bank(), 50),
        state=state(),
        faults=FAULTS,
        modes=MODES,
        tuning=[name for name in TUNING if name != "retry_seconds"],
    )


def _newest(kind: str) -> list[dict[str, Any]]:
    """The fifty that changed last."""
    rows = bank().store.all("SELECT doc FROM objects WHERE kind = ? ORDER BY sequence DESC LIMIT 50", kind)
    return [public(json.loads(row["doc"])) for row in rows]


@bp.post("/")
def page_action() -> AnyResponse:
    """`do` names what to do, as "<subject>/<id>/<action>"."""
    subject, target, action = request.form.get("do", "//").split("/", 2)
    settings, form = bank().settings, request.form
    if subject in ("payment", "dispute"):
        text = form.get("amount", "").strip()
        amount = amount_of({"amount": int(text) if text.isdecimal() else text}) if text else None
        (_act if subject == "payment" else _decide)(target, action, amount)
    elif subject == "event":
        eventlog.act(bank(), target, action)
    elif subject == "flush":
        eventlog.flush(bank(), None, action)
    elif subject == "fault":
        share, count = _number(form["probability"]), int(_number(form["next"]))
        settings.set_fault(form["fault"], probability=share, next=count, on=form["on"])
    elif subject == "tuning":
        settings.tune({name: _number(form[name]) for name in TUNING if name in form})
    elif subject == "mode":
        settings.set_webhooks({"mode": action})
    elif subject == "dead":
        settings.set_dead(action if action != "no" else False)
    elif subject == "clear":
        settings.clear_faults()
    elif subject == "reset":
        reset()
    bank().store.on_work()
    return redirect("/", 303)


def _number(text: str) -> float:
    try:
        return float(text or 0)
    except ValueError:
        raise invalid("number", f"{text!r} is not a number") from None
