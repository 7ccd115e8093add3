"""Points given or taken by the shop itself: staff adjustments and bonuses end here."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.rewards.errors import PointsInsufficient
from app.rewards.rules import LotView, choose_lots
from app.rewards.service.accounts import list_takeable_lots, lock_account
from app.rewards.service.posting import Leg, NewLot, Posting, post


def credit(
    *,
    customer_id: uuid.UUID,
    points: int,
    idem_key: str,
    ref_type: str,
    ref_id: str,
    description: str,
    expires_at: datetime | None,
    actor: Actor,
    kind: str = "adjust",
    account: str = "adjusted",
) -> uuid.UUID:
    """Give `points` (> 0) in a lot of their own; a debt is paid first. The transaction's id.

    Raises AlreadyPosted when `idem_key` was used before.
    """
    balances = lock_account(customer_id=customer_id)
    lot = NewLot(ids.uuid7(), ref_type, ref_id, expires_at)
    legs, lots = credit_legs(points, lot=lot, owed=-balances.debt, account=account)
    return post(Posting(customer_id, kind, idem_key, ref_type, ref_id, description, legs, lots), actor=actor)


def debit(
    *,
    customer_id: uuid.UUID,
    points: int,
    idem_key: str,
    ref_type: str,
    ref_id: str,
    description: str,
    actor: Actor,
) -> uuid.UUID:
    """Take `points` (> 0) from available, soonest-expiring first, points in a cool-off included; held points are out of
    reach.

    The transaction's id. Raises PointsInsufficient, AlreadyPosted.
    """
    lock_account(customer_id=customer_id)
    lots = list_takeable_lots(customer_id=customer_id, now=clock.now())
    legs = debit_legs(points, lots=lots)
    return post(Posting(customer_id, "adjust", idem_key, ref_type, ref_id, description, legs), actor=actor)


def credit_legs(
    points: int, *, lot: NewLot, owed: int, account: str = "adjusted"
) -> tuple[list[Leg], list[NewLot]]:
    """`points` from `account`: first for what is `owed` (zero or positive), the rest into `lot`."""
    to_debt = min(owed, points)
    legs = [Leg(account, -to_debt), Leg("debt", to_debt)] if to_debt else []
    if points == to_debt:
        return legs, []
    legs += [Leg(account, to_debt - points, lot.id), Leg("available", points - to_debt, lot.id)]
    return legs, [lot]


def debit_legs(points: int, *, lots: Sequence[LotView]) -> list[Leg]:
    """`points` out of `lots`, in their order. Raises PointsInsufficient with `available`."""
    plan = choose_lots(points, lots)
    if plan is None:
        available = sum(lot.available for lot in lots)
        raise PointsInsufficient(
            f"The customer has {available:,} points available.", details={"available": available}
        )
    legs = [Leg("available", -part, lot_id) for lot_id, part in plan]
    return legs + [Leg("adjusted", part, lot_id) for lot_id, part in plan]
