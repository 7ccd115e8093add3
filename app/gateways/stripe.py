"""Stripe over its official SDK. Whatever is not a complete, fitting answer is Unknown (docs/stripe.md)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from app.gateways import stripe_replies as replies
from app.gateways import stripe_walk as walk
from app.gateways import stripe_webhook
from app.gateways import stripe_wire as wire
from app.gateways.http import NoReply, Reply, Timeouts
from app.gateways.stripe_books import StripeBooks
from app.gateways.stripe_calls import Calls, metadata_of, session_params
from app.gateways.telemetry import Call, watched
from app.kernel import clock
from app.payments.gateway import (
    DISPUTED,
    Absent,
    ChargeRequest,
    GatewayEvent,
    ListPage,
    RefundRefused,
    RefundSnapshot,
    Snapshot,
    Unknown,
)

IN_FLIGHT = timedelta(minutes=10)
"""Our calls end after 25 seconds; a request that left later than this is certainly no longer on its way."""
TOMBSTONE_AMOUNT = 10_000
"""Never confirmed; above Stripe's smallest amount in every currency."""


class StripeGateway(StripeBooks):
    """Implements `app.payments.gateway.Gateway` and `Bookkeeper`; safe to share between threads.

    `orders_url`: where the bank's page sends shoppers whose request named no address of its own; the order's
    number is added. None: such requests name none.
    """

    def __init__(
        self,
        *,
        url: str,
        key: str,
        webhook_secrets: Sequence[str],
        timeouts: Timeouts,
        currency: str,
        orders_url: str | None = None,
    ) -> None:
        self._calls = Calls(url=url, key=key, timeouts=timeouts)
        self._secrets = tuple(webhook_secrets)
        self._currency = currency.lower()
        self._orders_url = orders_url

    def closed_for(self) -> int:
        return 0

    def charge(self, request: ChargeRequest) -> Snapshot | Unknown:
        about = {"payment": str(request.payment_id), "reference": request.reference}
        with self._watched("charge", **about) as call:
            call.answer = answer = self._charge(request)
        return answer

    def fetch(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Absent | Unknown:
        with self._watched("fetch", payment=str(payment_id)) as call:
            call.answer = found = self._fetch(payment_id, gateway_ref)
        return found

    def cancel(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Unknown:
        with self._watched("cancel", payment=str(payment_id)) as call:
            call.answer = answer = self._cancel(payment_id, gateway_ref, refused=False)
        return answer

    def refund(
        self, refund_id: uuid.UUID, gateway_ref: str, amount: int
    ) -> RefundSnapshot | RefundRefused | Unknown:
        with self._watched("refund", refund=str(refund_id)) as call:
            call.answer = answer = self._refund(refund_id, gateway_ref, amount)
        return answer

    def fetch_refund(
        self, refund_id: uuid.UUID, gateway_ref: str | None
    ) -> RefundSnapshot | Absent | Unknown:
        found: RefundSnapshot | Absent | Unknown
        with self._watched("fetch_refund", refund=str(refund_id)) as call:
            if gateway_ref is None:
                found = walk.find_refund(self._calls, refund_id)
            else:
                reply = self._calls.get_refund(gateway_ref)
                found = Absent() if replies.is_missing(reply) else replies.refund_in(reply, refund_id)
            call.answer = found
        return found

    def list_changed(self, cursor: str | None, since: datetime) -> ListPage | Unknown:
        with self._watched("list") as call:
            call.answer = page = walk.list_changed(self._calls, cursor, since)
        return page

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> GatewayEvent:
        return stripe_webhook.event(body, headers, self._secrets, now)

    @contextmanager
    def _watched(self, verb: str, **about: str) -> Iterator[Call]:
        """However many calls a verb takes: together no longer than one may."""
        with watched(self.name, verb, **about) as call, self._calls.in_time():
            yield call

    def _charge(self, request: ChargeRequest) -> Snapshot | Unknown:
        key = str(request.payment_id)
        if request.method.kind == "hosted":
            reply = self._calls.create_session(session_params(request), key=key)
        else:
            reply = self._calls.create_intent(self._intent_params(request), key=key)
        error = replies.failure(reply, 400, 402, 404)
        answer: Snapshot | Unknown
        if error is not None and error.payment_intent is not None:
            answer = replies.fitting(error.payment_intent.snapshot(), request.payment_id, None)
        elif isinstance(reply, Reply) and reply.status == 402:
            found = self._fetch(request.payment_id, None)
            answer = Unknown(replies.reason(reply)) if isinstance(found, Absent) else found
        elif error is not None and error.type == "invalid_request_error":
            # The request itself was refused, so no charge is on its way. Ending its key makes that certain.
            answer = self._cancel(request.payment_id, None, refused=True)
        else:
            answer = replies.snapshot_in(reply, request.payment_id, None)
        if isinstance(answer, Snapshot) and answer.status != "canceled":
            asked = (request.amount, request.currency, request.reference)
            if (answer.amount, answer.currency, answer.reference) != asked:
                return Unknown("mismatch: amount, currency or reference differs from what was asked")
        return answer

    def _intent_params(self, request: ChargeRequest) -> dict[str, Any]:
        params: dict[str, Any] = {
            "amount": request.amount,
            "currency": request.currency.lower(),
            "payment_method": request.method.token,
            "confirm": True,
            "metadata": metadata_of(request),
        }
        back = request.method.return_url or (
            f"{self._orders_url}/{request.reference}" if self._orders_url else None
        )
        if back is not None:
            params["return_url"] = back
        return params

    def _fetch(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Absent | Unknown:
        if gateway_ref is None:
            found = walk.find_intent(self._calls, payment_id)
            return found if not isinstance(found, wire.Intent) else walk.snapshot_of(self._calls, found)
        reply = self._get(gateway_ref)
        return Absent() if replies.is_missing(reply) else replies.snapshot_in(reply, payment_id, gateway_ref)

    def _get(self, gateway_ref: str) -> Reply | NoReply:
        is_session = gateway_ref.startswith("cs_")
        return self._calls.get_session(gateway_ref) if is_session else self._calls.get_intent(gateway_ref)

    def _cancel(self, payment_id: uuid.UUID, gateway_ref: str | None, *, refused: bool) -> Snapshot | Unknown:
        if gateway_ref is None:
            found = self._fetch(payment_id, None)
            if isinstance(found, Absent):
                return self._bury(payment_id, refused=refused)
            if isinstance(found, Unknown) or found.status in ("captured", "canceled"):
                return found
            gateway_ref = found.gateway_ref
        return self._end(payment_id, gateway_ref)

    def _end(self, payment_id: uuid.UUID, gateway_ref: str) -> Snapshot | Unknown:
        if gateway_ref.startswith("cs_"):
            reply = self._calls.expire_session(gateway_ref)
        else:
            reply = self._calls.cancel_intent(gateway_ref)
        if replies.failure(reply, 400) is not None:
            reply = self._get(gateway_ref)  # too late, or ended before: what is true then?
        return replies.snapshot_in(reply, payment_id, gateway_ref)

    def _bury(self, payment_id: uuid.UUID, *, refused: bool) -> Snapshot | Unknown:
        """Take the key of a charge that never arrived: Stripe refuses another request with it from then on.

        A key that is taken already belongs to a request of ours that made no payment. Once nothing can be on
        its way any more, or when that request was refused to our face, the payment is over.
        """
        metadata = {"payment_id": str(payment_id), "tombstone": "1"}
        params = {"amount": TOMBSTONE_AMOUNT, "currency": self._currency, "metadata": metadata}
        reply = self._calls.create_intent(params, key=str(payment_id))
        made = replies.read(reply, wire.Intent)
        if made is not None:
            return self._end(payment_id, made.id)
        if replies.failure(reply, 400) is None:
            return Unknown(replies.reason(reply))
        found = self._fetch(payment_id, None)
        if isinstance(found, Snapshot):
            return self._end(payment_id, found.gateway_ref)
        is_over = refused or clock.now() - walk.made_at(payment_id) > IN_FLIGHT
        if isinstance(found, Absent) and is_over:
            return Snapshot(str(payment_id), "", "canceled", amount=0, currency="", reference="")
        return Unknown("Stripe has no payment, but one may be on its way")

    def _refund(
        self, refund_id: uuid.UUID, gateway_ref: str, amount: int
    ) -> RefundSnapshot | RefundRefused | Unknown:
        intent_id = self._intent_of(gateway_ref)
        if isinstance(intent_id, Unknown):
            return intent_id
        metadata = {"refund_id": str(refund_id), "payment_ref": gateway_ref}
        params = {"payment_intent": intent_id, "amount": amount, "metadata": metadata}
        reply = self._calls.create_refund(params, key=str(refund_id))
        error = replies.failure(reply, 400, 402)
        if error is not None and error.type in ("invalid_request_error", "card_error"):
            return RefundRefused(DISPUTED if error.code == "charge_disputed" else error.code or "refused")
        answer = replies.refund_in(reply, refund_id)
        if isinstance(answer, RefundSnapshot) and (answer.amount, answer.payment_ref) != (
            amount,
            gateway_ref,
        ):
            return Unknown("mismatch: the answer is about another refund")
        return answer

    def _intent_of(self, gateway_ref: str) -> str | Unknown:
        """Only intents can be refunded; a session names its own."""
        if not gateway_ref.startswith("cs_"):
            return gateway_ref
        reply = self._calls.get_session(gateway_ref)
        session = replies.read(reply, wire.Session)
        if session is None or not isinstance(session.payment_intent, wire.Intent):
            return Unknown(replies.reason(reply))
        return session.payment_intent.id
