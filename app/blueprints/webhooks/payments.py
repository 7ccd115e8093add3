"""POST /api/v1/webhooks/payments/<gateway>."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, current_app, request
from prometheus_client import Counter
from werkzeug.exceptions import RequestEntityTooLarge

from app.blueprints.common import envelope
from app.blueprints.common.errors import BadRequest, TooLarge
from app.blueprints.common.request_ids import request_id
from app.blueprints.webhooks import punctuality
from app.kernel import clock
from app.kernel.crashpoint import crashpoint
from app.kernel.database import run_atomically
from app.kernel.errors import NotFound
from app.outbox import service as outbox
from app.payments import service as payments
from app.payments.gateway import Gateway, GatewayEvent, SignatureInvalid, SignatureUntimely

MAX_BODY = 256 * 1024
RECEIVED = Counter("shop_webhooks", "Callbacks of payment gateways", ["gateway", "outcome"])
bp = Blueprint("webhooks", __name__)
log = structlog.get_logger("webhooks")


@bp.post("/api/v1/webhooks/payments/<gateway>")
def receive(gateway: str) -> Response:
    """200 once it is stored, whether for the first or the fiftieth time; it is applied by a job."""
    adapter: Gateway = current_app.extensions["gateway"]
    if gateway != adapter.name:
        raise NotFound("There is no such payment gateway.")
    body = _body()
    try:
        event = adapter.parse_webhook(body, dict(request.headers), clock.now())
        _check_storable(event)
    except SignatureInvalid as error:
        late = isinstance(error, SignatureUntimely)
        RECEIVED.labels(gateway, "untimely" if late else "refused").inc()
        if late:
            punctuality.note(gateway, late=True)
        log.warning("webhook refused", gateway=gateway, reason=str(error))
        raise BadRequest("The signature is not valid.", code="SIGNATURE_INVALID") from error
    punctuality.note(gateway, late=False)
    is_new = run_atomically(lambda: _store(gateway, event, body))
    crashpoint("webhook.after_store")
    RECEIVED.labels(gateway, "stored" if is_new else "repeated").inc()
    return envelope.json_response(envelope.success(None, "Received."), 200)


def _body() -> bytes:
    """The raw bytes, as signed. Raises TooLarge."""
    request.max_content_length = MAX_BODY
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise TooLarge(f"A callback may have {MAX_BODY} bytes.") from error


def _check_storable(event: GatewayEvent) -> None:
    """PostgreSQL keeps no NUL, in text or in JSON, whoever signed it. Raises SignatureInvalid."""
    kept = (event.event_id, event.type, event.object_ref, event.object_key, event.payment_key)
    if any("\0" in part for part in kept if part):
        raise SignatureInvalid("the callback cannot be read")


def _store(gateway: str, event: GatewayEvent, body: bytes) -> bool:
    is_new = payments.store_webhook(
        gateway=gateway,
        event_id=event.event_id,
        kind=event.type,
        object_ref=event.object_ref,
        event_at=event.occurred_at,
        raw=body,
    )
    if is_new:
        payload = {
            "gateway": gateway,
            "event_id": event.event_id,
            "type": event.type,
            "subject": event.subject,
            "object_ref": event.object_ref,
            "object_key": event.object_key,
            "payment_key": event.payment_key,
        }
        key = f"webhook:{gateway}:{event.event_id}"
        job = outbox.Job("payments.webhook", key, payload, queue=outbox.PAYMENTS_QUEUE)
        outbox.add(job, request_id=request_id())
    crashpoint("webhook.before_store_commit")
    return is_new
