"""Mail that was sent, as it was sent: support can answer what a customer was told."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class MailMessage(Base):
    """`superseded_at`: what it says was so no more before the mail server took it; it is not sent."""

    __tablename__ = "mail_message"
    __table_args__ = (
        Index("ix_mail_message_customer_id", "customer_id", "created_at"),
        Index("ix_mail_message_subject_ref", "subject_ref"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[uuid.UUID | None]
    subject_ref: Mapped[str | None]  # the order number or other thing that it is about
    recipient: Mapped[str]
    template: Mapped[str]
    subject: Mapped[str]
    text_body: Mapped[str]
    html_body: Mapped[str]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]
