"""What the shopper is told of a refund: what is sent, what had gone back before, and what had never been charged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.kernel.money import Money
from app.orders.rules import LinePaid
from app.payments.left import never_came
from app.payments.models import Payment

if TYPE_CHECKING:
    from app.checkout.refund import Refunded


def count_never_came(payment: Payment, before: Sequence[LinePaid], card: int, sent: int) -> int:
    """Of a refund's card part, of which `sent` leaves the shop; `before`: the lines as they were without it."""
    claimed = sum(line.back.card for line in before)
    return min(card - sent, never_came(payment, claimed + card) - never_came(payment, claimed))


def sentence(made: Refunded, *, missing: Money) -> str:
    """For the order's story. `missing`: what of its card part had never been charged."""
    parts = [f"{made.points:,} points to your account"] if made.points else []
    if made.sent:
        parts.append(f"{made.sent.display} to your card")
    sentences = [f"We are giving back {' and '.join(parts)}."] if parts else []
    if already := made.card - made.sent - missing:
        sentences.append(f"{already.display} has been given back to your card already.")
    if missing:
        sentences.append(f"{missing.display} had never been charged to your card.")
    return " ".join(sentences)
