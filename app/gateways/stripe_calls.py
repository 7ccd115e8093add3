"""Stripe's calls as replies: the official SDK builds and signs the requests, our transport carries them.

The SDK's own clients follow redirects or wait without end; ours bounds time and size. What comes back is read by
`stripe_wire`, not through the SDK's objects: those take whatever JSON there is.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import stripe

from app.gateways.http import NoReply, Reply, Timeouts, Transport
from app.payments.gateway import ChargeRequest

EXPAND = ["latest_charge", "payment_method"]
PAGE = 100
"""Stripe's largest page."""
MAX_REPLY = 4 * 1024 * 1024
"""Bytes: a page of objects that name others in full comes near a megabyte."""
# What the SDK may raise for a strange answer: its own errors, or a stumble over JSON that is no object.
_STUMBLES = (stripe.StripeError, AttributeError, KeyError, TypeError, ValueError, RecursionError)

# Two lines a request, and bodies at debug level: telemetry.py already says what is to be known.
logging.getLogger("stripe").setLevel(logging.WARNING)


class _Client(stripe.HTTPClient):
    """Remembers the last reply of each thread, and until when its calls may take."""

    name = "shop"

    def __init__(self, timeouts: Timeouts) -> None:
        super().__init__()
        self._transport = Transport("", headers={}, timeouts=timeouts)
        self.local = threading.local()

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        reply = self._transport.call(
            method.upper(),
            url,
            body=post_data.encode() if isinstance(post_data, str) else post_data,
            headers=dict(headers or {}),
            deadline=getattr(self.local, "deadline", None),
            max_reply=MAX_REPLY,
        )
        self.local.reply = reply
        if isinstance(reply, NoReply):
            raise stripe.APIConnectionError(reply.reason, should_retry=False)
        return reply.body.decode(errors="replace"), reply.status, reply.headers

    def close(self) -> None:
        """Connections end with the process."""


class Calls:
    """One method a call; amounts in minor units. Safe to share between threads."""

    def __init__(self, *, url: str, key: str, timeouts: Timeouts) -> None:
        self._http = _Client(timeouts)
        self._total = timeouts.total
        client = stripe.StripeClient(
            key, base_addresses={"api": url}, max_network_retries=0, http_client=self._http
        )
        self._v1 = client.v1

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """All calls of this block together take no longer than one may."""
        self._http.local.deadline = min(
            getattr(self._http.local, "deadline", None) or math.inf, time.monotonic() + self._total
        )
        try:
            yield
        finally:
            self._http.local.deadline = None

    def create_intent(self, params: Any, *, key: str) -> Reply | NoReply:
        body: Any = {"payment_method_types": ["card"], "expand": EXPAND, **params}
        return self._said(lambda: self._v1.payment_intents.create(body, {"idempotency_key": key}))

    def get_intent(self, ref: str) -> Reply | NoReply:
        return self._said(lambda: self._v1.payment_intents.retrieve(ref, {"expand": EXPAND}))

    def cancel_intent(self, ref: str) -> Reply | NoReply:
        return self._said(lambda: self._v1.payment_intents.cancel(ref, {"expand": EXPAND}))

    def list_intents(self, after: str | None) -> Reply | NoReply:
        params = _page(after, [f"data.{name}" for name in EXPAND])
        return self._said(lambda: self._v1.payment_intents.list(params))

    def create_session(self, params: Any, *, key: str) -> Reply | NoReply:
        return self._said(lambda: self._v1.checkout.sessions.create(params, {"idempotency_key": key}))

    def get_session(self, ref: str) -> Reply | NoReply:
        expand = [f"payment_intent.{name}" for name in EXPAND]
        return self._said(lambda: self._v1.checkout.sessions.retrieve(ref, {"expand": expand}))

    def expire_session(self, ref: str) -> Reply | NoReply:
        return self._said(lambda: self._v1.checkout.sessions.expire(ref))

    def list_sessions(self, after: str | None, *, of: str | None = None) -> Reply | NoReply:
        """`of`: only the session of this intent."""
        params = _page(after, [f"data.payment_intent.{name}" for name in EXPAND])
        if of is not None:
            params["payment_intent"] = of
        return self._said(lambda: self._v1.checkout.sessions.list(params))

    def create_refund(self, params: Any, *, key: str) -> Reply | NoReply:
        return self._said(lambda: self._v1.refunds.create(params, {"idempotency_key": key}))

    def get_refund(self, ref: str) -> Reply | NoReply:
        return self._said(lambda: self._v1.refunds.retrieve(ref))

    def list_refunds(self, after: str | None) -> Reply | NoReply:
        return self._said(lambda: self._v1.refunds.list(_page(after, None)))

    def list_events(self, kind: str, since: int, after: str | None) -> Reply | NoReply:
        """`since`: Unix seconds; Stripe keeps events for 30 days."""
        params: Any = {**_page(after, None), "type": kind, "created": {"gte": since}}
        return self._said(lambda: self._v1.events.list(params))

    def list_booked(self, since: int, until: int, after: str | None) -> Reply | NoReply:
        """What moved money from `since` to before `until` (Unix seconds), newest first."""
        params: Any = {**_page(after, ["data.source"]), "created": {"gte": since, "lt": until}}
        return self._said(lambda: self._v1.balance_transactions.list(params))

    def get_dispute(self, ref: str) -> Reply | NoReply:
        return self._said(lambda: self._v1.disputes.retrieve(ref, {"expand": ["payment_intent"]}))

    def list_disputes(self, since: int, after: str | None) -> Reply | NoReply:
        """Those opened since then (Unix seconds), newest first."""
        params: Any = {**_page(after, ["data.payment_intent"]), "created": {"gte": since}}
        return self._said(lambda: self._v1.disputes.list(params))

    def _said(self, call: Callable[[], object]) -> Reply | NoReply:
        self._http.local.reply = NoReply("not sent")
        with suppress(*_STUMBLES):
            call()
        reply: Reply | NoReply = self._http.local.reply
        return reply


def metadata_of(request: ChargeRequest) -> dict[str, str]:
    return {**request.metadata, "payment_id": str(request.payment_id), "reference": request.reference}


def session_params(request: ChargeRequest) -> dict[str, Any]:
    """One line with the card part: miles and prices are between the shop and its customer."""
    metadata = metadata_of(request)
    line = {
        "currency": request.currency.lower(),
        "unit_amount": request.amount,
        "product_data": {"name": request.reference},
    }
    return {
        "mode": "payment",
        "payment_method_types": ["card"],
        "client_reference_id": request.reference,
        "line_items": [{"price_data": line, "quantity": 1}],
        "success_url": request.method.return_url,
        "cancel_url": request.method.return_url,
        "metadata": metadata,
        "payment_intent_data": {"metadata": {**metadata, "hosted": "1"}},
    }


def _page(after: str | None, expand: list[str] | None) -> Any:
    params: dict[str, Any] = {"limit": PAGE}
    if after:
        params["starting_after"] = after
    if expand:
        params["expand"] = expand
    return params
