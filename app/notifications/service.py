"""Mail as it was sent. Stored before it leaves, marked after: a crash between the two sends it a second time.

That window cannot be closed with SMTP. The Message-ID is made from the dedupe key, so that receivers which drop
doubles can drop this one.
"""

from __future__ import annotations

import uuid

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from app.kernel import clock, ids
from app.kernel.database import session
from app.notifications.models import MailMessage
from app.notifications.rendering import Rendered


def store_mail(
    *,
    dedupe_key: str,
    template: str,
    rendered: Rendered,
    recipient: str,
    customer_id: uuid.UUID | None = None,
    subject_ref: str | None = None,
) -> None:
    """Keep the mail; what is there already under the same key stays as it was."""
    row = insert(MailMessage).values(
        id=ids.uuid7(),
        dedupe_key=dedupe_key,
        customer_id=customer_id,
        subject_ref=subject_ref,
        recipient=recipient,
        template=template,
        subject=rendered.subject,
        text_body=rendered.text,
        html_body=rendered.html,
        created_at=clock.now(),
    )
    session().execute(row.on_conflict_do_nothing(index_elements=["dedupe_key"]))


def mark_sent(*, dedupe_key: str) -> None:
    """The mail server has taken it."""
    statement = update(MailMessage).where(MailMessage.dedupe_key == dedupe_key, MailMessage.sent_at.is_(None))
    session().execute(statement.values(sent_at=clock.now()))


def mark_superseded(*, dedupe_key: str) -> None:
    """It is not sent: what it says is so no more. One that was sent stays so."""
    statement = update(MailMessage).where(
        MailMessage.dedupe_key == dedupe_key,
        MailMessage.sent_at.is_(None),
        MailMessage.superseded_at.is_(None),
    )
    session().execute(statement.values(superseded_at=clock.now()))
