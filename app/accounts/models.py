"""People, their roles, addresses and API tokens."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class Customer(Base):
    """A person who signs in; staff are people with another role. `email` is stored in lower case.

    `session_epoch` is part of every session: raising it signs the person out everywhere.
    """

    __tablename__ = "customer"
    __table_args__ = (
        Index("uq_customer_email", func.lower(text("email")), unique=True),
        CheckConstraint(
            "role IN ('customer','support','approver','catalogue_manager','auditor','admin')", name="role"
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(server_default="customer")
    locale: Mapped[str] = mapped_column(server_default="en")
    is_active: Mapped[bool] = mapped_column(server_default="true")
    session_epoch: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime]


class Address(Base):
    """A postal address of a customer. Orders keep their own copy. `country` is ISO 3166-1 alpha-2."""

    __tablename__ = "address"
    __table_args__ = (
        Index("ix_address_customer_id", "customer_id", "created_at"),
        Index("uq_address_default", "customer_id", unique=True, postgresql_where=text("is_default")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customer.id"))
    name: Mapped[str]
    line1: Mapped[str]
    line2: Mapped[str | None]
    city: Mapped[str]
    region: Mapped[str | None]
    postcode: Mapped[str | None]
    country: Mapped[str]
    phone: Mapped[str | None]
    is_default: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime]


class ApiToken(Base):
    """One pair of access and refresh token; a refresh makes the next row of the same family.

    Only SHA-256 fingerprints are stored. `refreshed_at` set: this pair is dead, and its refresh token used
    again kills the family.
    """

    __tablename__ = "api_token"
    __table_args__ = (
        Index("ix_api_token_family_id", "family_id"),
        Index("ix_api_token_customer_id", "customer_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    family_id: Mapped[uuid.UUID]
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customer.id"))
    session_epoch: Mapped[int]
    access_hash: Mapped[bytes] = mapped_column(unique=True)
    refresh_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    access_expires_at: Mapped[datetime]
    refresh_expires_at: Mapped[datetime]
    refreshed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    user_agent: Mapped[str | None]
