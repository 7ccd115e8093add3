"""Mails that an order's turns cause: written with the turn itself, sent by a job."""

from __future__ import annotations

import uuid
from typing import Any

from app.kernel import ids
from app.orders.service.moving import LockedOrder
from app.outbox.service import MAIL_QUEUE, Job


def mail(
    message: str,
    order: LockedOrder,
    *,
    refund_id: uuid.UUID | None = None,
    sent_as: uuid.UUID | None = None,
    **told: Any,
) -> Job:
    """A mail about the order to its customer, once per attempt to pay; about a refund, once per refund, and once more
    for each card refund of a smaller amount that it is `sent_as`.

    `told`: what may be otherwise when the mail leaves, and is said as it is now.
    """
    key = f"mail:{message}:{refund_id or f'{order.number}:{order.attempt}'}" + (
        f":{sent_as}" if sent_as else ""
    )
    payload = {"order_number": order.number, **told} | ({"refund_id": str(refund_id)} if refund_id else {})
    return Job(f"mail.{message}", key, payload, queue=MAIL_QUEUE)


def mail_elsewhere(order: LockedOrder, refund_id: uuid.UUID, reference: str) -> Job:
    """The mail about a refund that was paid another way: one each time that staff take note of it, because a transfer
    may come back and leave again under the same reference."""
    payload = {"order_number": order.number, "refund_id": str(refund_id), "reference": reference}
    key = f"mail:refund_elsewhere:{refund_id}:{ids.uuid7()}"
    return Job("mail.refund_elsewhere", key, payload, queue=MAIL_QUEUE)


def alert(subject: str, order: LockedOrder, text: str, *, about: object) -> Job:
    """A mail to staff about something that needs eyes, once per payment, refund or dispute that it is `about`."""
    payload = {"subject": subject, "order_number": order.number, "text": text}
    return Job("mail.staff_alert", f"alert:{subject}:{about}", payload, queue=MAIL_QUEUE)
