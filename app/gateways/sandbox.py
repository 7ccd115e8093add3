"""The sandbox gateway over HTTP. Whatever is not a complete, fitting answer is Unknown."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote, urlencode

from app.gateways import sandbox_wire as wire
from app.gateways.http import NoReply, Reply, Timeouts, Transport
from app.gateways.sandbox_books import SandboxBooks
from app.gateways.telemetry import watched
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

PAGE = 200
REFUND_REFUSALS = frozenset({"refund_exceeds_captured", "payment_not_captured"})


class SandboxGateway(SandboxBooks):
    """Implements `app.payments.gateway.Gateway` and `Bookkeeper`; safe to share between threads."""

    name = "sandbox"

    def __init__(self, *, url: str, key: str, webhook_secrets: Sequence[str], timeouts: Timeouts) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = Transport(f"{url}/v1", headers=headers, timeouts=timeouts)
        self._secrets = tuple(webhook_secrets)

    def closed_for(self) -> int:
        return 0

    def charge(self, request: ChargeRequest) -> Snapshot | Unknown:
        about = {"payment": str(request.payment_id), "reference": request.reference}
        with watched(self.name, "charge", **about) as call:
            reply = self._http.call(
                "POST",
                "/payments",
                body=_charge_body(request),
                headers={"Idempotency-Key": str(request.payment_id)},
            )
            answer = _charge_answer(reply, request)
            call.answer = answer
        if answer is None:
            # The request itself was refused, so no charge is on its way. The tombstone makes that certain.
            return self.cancel(request.payment_id, None)
        return answer

    def fetch(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Absent | Unknown:
        with watched(self.name, "fetch", payment=str(payment_id)) as call:
            reply = self._http.call("GET", f"/payments/by-key/{payment_id}")
            found: Snapshot | Absent | Unknown
            if isinstance(reply, Reply) and _refused(reply, 404) == "not_found":
                found = Absent()
            else:
                found = _payment(reply, (200,), payment_id, gateway_ref)
            call.answer = found
        return found

    def cancel(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Unknown:
        with watched(self.name, "cancel", payment=str(payment_id)) as call:
            reply = self._http.call("POST", f"/payments/by-key/{payment_id}/cancel")
            call.answer = answer = _payment(reply, (200, 409), payment_id, gateway_ref)
        return answer

    def refund(
        self, refund_id: uuid.UUID, gateway_ref: str, amount: int
    ) -> RefundSnapshot | RefundRefused | Unknown:
        with watched(self.name, "refund", refund=str(refund_id)) as call:
            reply = self._http.call(
                "POST",
                f"/payments/{quote(gateway_ref, safe='')}/refunds",
                body={"amount": amount},
                headers={"Idempotency-Key": str(refund_id)},
            )
            answer: RefundSnapshot | RefundRefused | Unknown
            code = _refused(reply, 409) if isinstance(reply, Reply) else None
            if code == "payment_disputed":
                answer = RefundRefused(DISPUTED)
            elif code in REFUND_REFUSALS:
                answer = RefundRefused(str(code))
            else:
                answer = _refund(reply, 201, refund_id)
                if isinstance(answer, RefundSnapshot) and (answer.amount, answer.payment_ref) != (
                    amount,
                    gateway_ref,
                ):
                    answer = Unknown("mismatch: the answer is about another refund")
            call.answer = answer
        return answer

    def fetch_refund(
        self, refund_id: uuid.UUID, gateway_ref: str | None
    ) -> RefundSnapshot | Absent | Unknown:
        with watched(self.name, "fetch_refund", refund=str(refund_id)) as call:
            reply = self._http.call("GET", f"/refunds/by-key/{refund_id}")
            found: RefundSnapshot | Absent | Unknown
            if isinstance(reply, Reply) and _refused(reply, 404) == "not_found":
                found = Absent()
            else:
                found = _refund(reply, 200, refund_id)
            call.answer = found
        return found

    def list_changed(self, cursor: str | None, since: datetime) -> ListPage | Unknown:
        query = {"limit": str(PAGE), "updated_since": since.isoformat()}
        if cursor is not None:
            query["after"] = cursor
        with watched(self.name, "list") as call:
            reply = self._http.call("GET", f"/payments?{urlencode(query)}")
            call.answer = page = _page(reply)
        return page

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> GatewayEvent:
        return wire.event(body, headers, self._secrets, now)


def _charge_body(request: ChargeRequest) -> dict[str, object]:
    body: dict[str, object] = {
        "amount": request.amount,
        "currency": request.currency,
        "reference": request.reference,
        "metadata": dict(request.metadata),
    }
    if request.method.kind == "hosted":
        body["method"] = "hosted"
    else:
        body["payment_token"] = request.method.token
    if request.method.return_url is not None:
        body["return_url"] = request.method.return_url
    return body


def _charge_answer(reply: Reply | NoReply, request: ChargeRequest) -> Snapshot | Unknown | None:
    """None: the gateway did not accept the request as one, and did nothing."""
    if isinstance(reply, Reply) and _refused(reply, 400) is not None:
        return None
    answer = _payment(reply, (200, 201, 402, 409), request.payment_id, None)
    if isinstance(answer, Unknown) or answer.status == "canceled":
        return answer
    asked = (request.amount, request.currency, request.reference)
    if (answer.amount, answer.currency, answer.reference) != asked:
        return Unknown("mismatch: amount, currency or reference differs from what was asked")
    return answer


def _payment(
    reply: Reply | NoReply, statuses: tuple[int, ...], payment_id: uuid.UUID, gateway_ref: str | None
) -> Snapshot | Unknown:
    """The payment in an answer with one of `statuses`; 4xx answers carry it beside their error."""
    if isinstance(reply, NoReply):
        return Unknown(reply.reason)
    if reply.status not in statuses:
        return Unknown(f"HTTP {reply.status}")
    if reply.status < 400:
        payment = wire.read(reply.body, wire.Payment)
    else:
        refusal = wire.read(reply.body, wire.Refusal)
        payment = refusal.payment if refusal else None
    if payment is None:
        return Unknown(f"HTTP {reply.status} with an unreadable body")
    snapshot = payment.snapshot()
    if reply.status == 402 and snapshot.status != "declined":
        return Unknown("HTTP 402 for a payment that is not declined")
    if snapshot.key != str(payment_id):
        return Unknown("mismatch: the answer is about another payment")
    if gateway_ref is not None and snapshot.gateway_ref != gateway_ref:
        return Unknown("mismatch: gateway reference differs")
    return snapshot


def _refund(reply: Reply | NoReply, status: int, refund_id: uuid.UUID) -> RefundSnapshot | Unknown:
    if isinstance(reply, NoReply):
        return Unknown(reply.reason)
    refund = wire.read(reply.body, wire.Refund) if reply.status == status else None
    if refund is None:
        return Unknown(f"HTTP {reply.status} without a refund")
    if refund.idempotency_key != str(refund_id):
        return Unknown("mismatch: the answer is about another refund")
    return refund.snapshot()


def _page(reply: Reply | NoReply) -> ListPage | Unknown:
    if isinstance(reply, NoReply):
        return Unknown(reply.reason)
    page = wire.read(reply.body, wire.PaymentList) if reply.status == 200 else None
    if page is None:
        return Unknown(f"HTTP {reply.status} without a list")
    return ListPage(tuple(payment.snapshot() for payment in page.data), page.next, page.has_more)


def _refused(reply: Reply, status: int) -> str | None:
    """The gateway's own error code, if this is its own error with that status: a proxy's 404 is no answer."""
    refusal = wire.read(reply.body, wire.Refusal) if reply.status == status else None
    return refusal.error.code if refusal else None
