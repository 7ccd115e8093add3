"""Stripe's answers where localstripe has none, in the shapes of Stripe's published OpenAPI, over real HTTP.

Idempotency keys, 3-D Secure by redirect, Checkout Sessions, refused refunds and refunds that fail. It is our
reading of Stripe's documentation, so it proves that the adapter fits that, not that Stripe does.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.gateways.recorded_books import RecordedBooks

Form = dict[str, str]
Answer = tuple[int, dict[str, Any]]
CARD = {"id": "pm_1", "object": "payment_method", "card": {"brand": "mastercard", "last4": "4444"}}
DECLINES = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None),
}


def error(status: int, kind: str, code: str | None = None, **more: Any) -> Answer:
    return status, {"error": {"type": kind, "code": code, "message": "as published", **more}}


def metadata_in(form: Form, prefix: str = "metadata") -> dict[str, str]:
    wanted = re.compile(re.escape(prefix) + r"\[(\w+)\]")
    return {match[1]: value for name, value in form.items() if (match := wanted.fullmatch(name))}


class RecordedStripe:
    """The books, and the calls on them. `seen` are the requests; `intents`, `sessions`, `refunds` newest first."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Form]] = []
        self.intents: list[dict[str, Any]] = []
        self.sessions: list[dict[str, Any]] = []
        self.refunds: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.lose_next_answer = False
        self._answers: dict[str, tuple[str, Form, Answer]] = {}
        self._numbers = itertools.count(1)
        self.books = RecordedBooks(self._numbers, self.happened)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def happened(self, kind: str, about: dict[str, Any]) -> None:
        event = {
            "id": f"evt_{next(self._numbers)}",
            "object": "event",
            "type": kind,
            "created": int(time.time()),
        }
        self.events.insert(0, {**event, "data": {"object": about}})

    def pay(self, session: dict[str, Any]) -> dict[str, Any]:
        """The shopper pays on the hosted page."""
        intent = self._new_intent(session["amount_total"], "hkd", session["_intent_metadata"])
        self._succeed(intent)
        session |= {"status": "complete", "payment_status": "paid", "payment_intent": intent, "url": None}
        return intent

    def passed(self, intent: dict[str, Any]) -> None:
        """The shopper passes the bank's page."""
        self._succeed(intent)

    def answer(self, method: str, path: str, form: Form, key: str | None) -> Answer:
        if method == "POST" and key is not None and key in self._answers:
            before_path, before_form, answer = self._answers[key]
            if (before_path, before_form) != (path, form):
                return error(400, "idempotency_error")
            return answer
        answer = self._route(method, path, form)
        if method == "POST" and key is not None:
            self._answers[key] = (path, form, json.loads(json.dumps(answer)))
        return answer

    def _route(self, method: str, path: str, form: Form) -> Answer:
        calls: list[tuple[str, str, Callable[..., Answer]]] = [
            ("POST", "/v1/payment_intents", self._create_intent),
            ("POST", "/v1/payment_intents/([^/]+)/cancel", self._cancel_intent),
            ("GET", "/v1/payment_intents/([^/]+)", lambda form, ref: self._one(self.intents, ref)),
            ("GET", "/v1/payment_intents", lambda form: self._list(self.intents, form)),
            ("POST", "/v1/checkout/sessions", self._create_session),
            ("POST", "/v1/checkout/sessions/([^/]+)/expire", self._expire_session),
            ("GET", "/v1/checkout/sessions/([^/]+)", lambda form, ref: self._one(self.sessions, ref)),
            ("GET", "/v1/checkout/sessions", self._list_sessions),
            ("POST", "/v1/refunds", self._create_refund),
            ("GET", "/v1/refunds/([^/]+)", lambda form, ref: self._one(self.refunds, ref)),
            ("GET", "/v1/refunds", lambda form: self._list(self.refunds, form)),
            ("GET", "/v1/events", self._list_events),
            ("GET", "/v1/balance_transactions", lambda form: self._list(self.books.in_time(form), form)),
            ("GET", "/v1/disputes/([^/]+)", lambda form, ref: self._one(self.books.told(form), ref)),
            ("GET", "/v1/disputes", lambda form: self._list(self.books.told(form), form)),
        ]
        for verb, pattern, call in calls:
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                return call(form, *match.groups())
        return error(404, "invalid_request_error", "resource_missing")

    def _create_intent(self, form: Form) -> Answer:
        token = form.get("payment_method")
        if token is not None and not token.startswith("pm_card_"):
            return error(400, "invalid_request_error", "resource_missing")
        intent = self._new_intent(int(form["amount"]), form["currency"], metadata_in(form))
        if form.get("confirm") != "true":
            return 200, intent
        if token in DECLINES:
            code, decline_code = DECLINES[token]
            told = {"type": "card_error", "code": code, "decline_code": decline_code, "payment_method": CARD}
            intent["last_payment_error"] = told
            return error(402, "card_error", code, decline_code=decline_code, payment_intent=dict(intent))
        if token == "pm_card_authenticationRequired":
            url = f"https://hooks.stripe.com/3d_secure_2/{intent['id']}"
            intent["status"] = "requires_action"
            intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"url": url}}
            return 200, intent
        self._succeed(intent)
        return 200, intent

    def _cancel_intent(self, form: Form, ref: str) -> Answer:
        status, intent = self._one(self.intents, ref)
        if status == 200 and intent["status"] in ("succeeded", "canceled"):
            return error(
                400, "invalid_request_error", "payment_intent_unexpected_state", payment_intent=intent
            )
        intent["status"] = "canceled"
        return status, intent

    def _create_session(self, form: Form) -> Answer:
        session = {
            "id": f"cs_test_{next(self._numbers)}",
            "object": "checkout.session",
            "created": int(time.time()),
            "status": "open",
            "payment_status": "unpaid",
            "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
            "currency": form["line_items[0][price_data][currency]"],
            "url": "https://checkout.stripe.com/c/pay/cs_test",
            "metadata": metadata_in(form),
            "payment_intent": None,
            "_intent_metadata": metadata_in(form, "payment_intent_data[metadata]"),
        }
        self.sessions.insert(0, session)
        return 200, session

    def _expire_session(self, form: Form, ref: str) -> Answer:
        status, session = self._one(self.sessions, ref)
        if session.get("status") != "open":
            return error(400, "invalid_request_error")
        session |= {"status": "expired", "url": None}
        return status, session

    def _list_sessions(self, form: Form) -> Answer:
        wanted = form.get("payment_intent")
        found = [s for s in self.sessions if not wanted or (s["payment_intent"] or {}).get("id") == wanted]
        return self._list(found, form)

    def _create_refund(self, form: Form) -> Answer:
        status, intent = self._one(self.intents, form["payment_intent"])
        if status != 200 or intent["status"] != "succeeded":
            return error(400, "invalid_request_error", "payment_intent_unexpected_state")
        if self.books.is_disputed(intent):
            return error(400, "invalid_request_error", "charge_disputed")
        charge, amount = intent["latest_charge"], int(form["amount"])
        if charge["amount_refunded"] + amount > intent["amount_received"]:
            return error(400, "invalid_request_error", "amount_too_large")
        charge["amount_refunded"] += amount
        refund = {
            "id": f"re_{next(self._numbers)}",
            "object": "refund",
            "created": int(time.time()),
            "status": "succeeded",
            "amount": amount,
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "metadata": metadata_in(form),
        }
        self.refunds.insert(0, refund)
        self.books.book("refund", -amount, refund)
        about = {"id": charge["id"], "object": "charge", "created": intent["created"]}
        self.happened(
            "charge.refunded", {**about, "payment_intent": intent["id"], "metadata": intent["metadata"]}
        )
        return 200, refund

    def _list_events(self, form: Form) -> Answer:
        since, kind = int(form["created[gte]"]), form["type"]
        return self._list([e for e in self.events if e["type"] == kind and e["created"] >= since], form)

    def _new_intent(self, amount: int, currency: str, metadata: dict[str, str]) -> dict[str, Any]:
        intent = {
            "id": f"pi_{next(self._numbers)}",
            "object": "payment_intent",
            "created": int(time.time()),
            "status": "requires_payment_method",
            "amount": amount,
            "amount_received": 0,
            "currency": currency,
            "metadata": metadata,
            "latest_charge": None,
            "payment_method": None,
            "last_payment_error": None,
            "next_action": None,
        }
        self.intents.insert(0, intent)
        return intent

    def _succeed(self, intent: dict[str, Any]) -> None:
        charge = {"id": f"ch_{next(self._numbers)}", "object": "charge", "amount_refunded": 0}
        copied = {name: intent[name] for name in ("amount", "currency", "metadata")}
        self.books.book("charge", intent["amount"], {**charge, **copied, "payment_intent": intent["id"]})
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge}
        intent |= {"payment_method": CARD, "next_action": None}
        self.happened("payment_intent.succeeded", intent)

    def _one(self, rows: list[dict[str, Any]], ref: str) -> Answer:
        for row in rows:
            if row["id"] == ref:
                return 200, row
        return error(404, "invalid_request_error", "resource_missing")

    def _list(self, rows: list[dict[str, Any]], form: Form) -> Answer:
        names = [row["id"] for row in rows]
        after = form.get("starting_after")
        start = names.index(after) + 1 if after else 0
        end = start + int(form.get("limit", 10))
        return 200, {"object": "list", "data": rows[start:end], "has_more": end < len(rows)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        books = self

        class Handler(BaseHTTPRequestHandler):
            def serve(self) -> None:
                parts = urlsplit(self.path)
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                form = dict(parse_qsl(text or parts.query, keep_blank_values=True))
                books.seen.append((self.command, parts.path, form))
                key = self.headers.get("Idempotency-Key")
                status, body = books.answer(self.command, parts.path, form, key)
                if books.lose_next_answer and self.command == "POST":
                    books.lose_next_answer = False
                    self.close_connection = True
                    return
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                self.serve()

            def do_POST(self) -> None:
                self.serve()

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Quiet."""

        return Handler
