"""Mail that was sent, for jobs and for support."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.kernel.database import session
from app.notifications.models import MailMessage


@dataclass(frozen=True, slots=True)
class Letter:
    """A stored mail, ready to leave."""

    dedupe_key: str
    recipient: str
    template: str
    subject: str
    text: str
    html: str
    is_sent: bool


def find_letter(dedupe_key: str) -> Letter | None:
    row = session().execute(
        select(
            MailMessage.dedupe_key,
            MailMessage.recipient,
            MailMessage.template,
            MailMessage.subject,
            MailMessage.text_body,
            MailMessage.html_body,
            MailMessage.sent_at,
        ).where(MailMessage.dedupe_key == dedupe_key)
    )
    found = row.first()
    return Letter(*found[:6], is_sent=found.sent_at is not None) if found else None


def list_mails_of(customer_id: uuid.UUID, *, limit: int = 50) -> Sequence[MailMessage]:
    """A customer's mails, newest first."""
    statement = select(MailMessage).where(MailMessage.customer_id == customer_id)
    return session().scalars(statement.order_by(MailMessage.created_at.desc()).limit(limit)).all()
