"""Mails that an order's turns cause: written with the turn itself, sent by a job."""

from __future__ import annotations

from app.orders.service.moving import LockedOrder
from app.outbox.service import MAIL_QUEUE, Job


def mail(message: str, order: LockedOrder) -> Job:
    """A mail about the order to its customer, once per attempt to pay."""
    key = f"mail:{message}:{order.number}:{order.attempt}"
    return Job(f"mail.{message}", key, {"order_number": order.number}, queue=MAIL_QUEUE)


def alert(subject: str, order: LockedOrder, text: str) -> Job:
    """A mail to staff about something that needs eyes."""
    payload = {"subject": subject, "order_number": order.number, "text": text}
    return Job(
        "mail.staff_alert", f"alert:{subject}:{order.number}:{order.attempt}", payload, queue=MAIL_QUEUE
    )
