"""Points of a refunded order: what was spent goes back to where it came from, what was earned is taken back.

The caller holds the order's row lock, so that two refunds of one order follow each other.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, text, update

from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import Conflict
from app.rewards.models import PointsAccount, PointsEarning
from app.rewards.rules import LotView, Rules
from app.rewards.service.accounts import lock_account
from app.rewards.service.earning import ORDER, lock_earning
from app.rewards.service.giving_back import legs_back
from app.rewards.service.posting import Leg, Posting, post
from app.rewards.service.taking import pay_debt, take

# What the captured hold took from each lot, less what earlier refunds of the order put back into it.
STILL_SPENT = text(
    """
    WITH taken AS (
      SELECT e.lot_id, sum(e.amount) AS points
        FROM points_hold h JOIN points_entry e ON e.tx_id = h.tx_id AND e.account = 'held'
       WHERE h.order_id = :order_id AND h.state = 'captured' GROUP BY e.lot_id
    ), returned AS (
      SELECT e.lot_id, -sum(e.amount) AS points
        FROM points_tx t JOIN points_entry e ON e.tx_id = t.id AND e.account = 'redeemed'
       WHERE t.customer_id = :customer_id AND t.kind = 'refund' AND t.ref_type = 'order' AND t.ref_id = :number
       GROUP BY e.lot_id
    )
    SELECT l.id, CAST(taken.points - coalesce(returned.points, 0) AS bigint) AS left, l.expires_at
      FROM taken JOIN points_lot l ON l.id = taken.lot_id LEFT JOIN returned USING (lot_id)
     WHERE taken.points > coalesce(returned.points, 0)
     ORDER BY l.expires_at DESC NULLS FIRST, l.id DESC
    """
)


def return_points(
    *,
    customer_id: uuid.UUID,
    order_id: uuid.UUID,
    order_number: str,
    lots: Mapping[uuid.UUID, int],
    idem_key: str,
    rules: Rules,
    actor: Actor,
) -> None:
    """Give points (lot -> points, > 0) of a paid order back to the lots that they were spent from.

    They live at least the rules' days of grace from now; what came from a lot with less goes to a new lot with just
    that. A debt is paid first. Raises Conflict `REFUND_EXCEEDS_PAID` with `left`, AlreadyPosted.
    """
    debt = lock_account(customer_id=customer_id).debt
    parameters = {"order_id": order_id, "customer_id": customer_id, "number": order_number}
    spent = {row.id: LotView(*row) for row in session().execute(STILL_SPENT, parameters)}
    if any(lot_id not in spent or points > spent[lot_id].available for lot_id, points in lots.items()):
        left = sum(lot.available for lot in spent.values())
        message = "That is more than is left of the points paid."
        raise Conflict(message, code="REFUND_EXCEEDS_PAID", details={"left": left})
    parts = [LotView(lot_id, points, spent[lot_id].expires_at) for lot_id, points in lots.items()]
    grace = clock.now() + timedelta(days=rules.release_grace_days)
    legs, successors = legs_back(parts, account="redeemed", order_number=order_number, grace=grace)
    description = f"Given back from order {order_number}"
    posting = Posting(customer_id, "refund", idem_key, "order", order_number, description, legs, successors)
    post(posting, actor=actor)
    pay_debt(
        customer_id=customer_id,
        debt=debt,
        idem_key=idem_key,
        ref_type="order",
        ref_id=order_number,
        actor=actor,
    )


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Where earned points were taken from; `owed` became a debt that is paid by what comes next. `expired` ones were
    gone already."""

    pending: int = 0
    available: int = 0
    owed: int = 0
    expired: int = 0

    @property
    def points(self) -> int:
        """What the customer has less."""
        return self.pending + self.available + self.owed


def take_back(
    *,
    customer_id: uuid.UUID,
    source_id: str,
    order_number: str,
    points: int | None,
    idem_key: str,
    actor: Actor,
    source_type: str = ORDER,
) -> TakenBack:
    """Take back up to `points` (None: all) of what the order earned as `source_type`: pending, else available,
    else as a debt.

    What the earning's own lot lost to expiry goes first, and costs nobody anything; then what is left in it, then
    soonest expiry first. A source that earned nothing, with another order, or whose earning is gone, gives
    nothing. Raises AlreadyPosted.
    """
    lock_account(customer_id=customer_id)
    earning = lock_earning(source_type=source_type, source_id=source_id)
    if earning is None or earning.state == "cancelled" or earning.order_number != order_number:
        return TakenBack()
    left = earning.points - earning.taken_back
    points = left if points is None else min(points, left)
    if points <= 0:
        return TakenBack()
    if earning.state == "pending":
        taken, legs = TakenBack(pending=points), [Leg("pending", -points), Leg("issued", points)]
        kind = "earn_cancel"
    else:
        taken, legs = _from_available(customer_id, earning.lot_id, points, actor)
        kind = "clawback"
    description = f"Earned points of order {order_number} taken back"
    posting = Posting(customer_id, kind, idem_key, "order", order_number, description, legs)
    post(posting, actor=actor)
    _write_taken(earning, points)
    return taken


def _from_available(
    customer_id: uuid.UUID, own_lot: uuid.UUID | None, points: int, actor: Actor
) -> tuple[TakenBack, list[Leg]]:
    own = [own_lot] if own_lot else []
    taking = take(customer_id=customer_id, own=own, points=points, account="clawback", actor=actor)
    legs, owed = taking.legs, taking.missing
    if owed:
        legs += [Leg("debt", -owed), Leg("clawback", owed)]
    return TakenBack(available=taking.available, owed=owed, expired=taking.expired), legs


def _write_taken(earning: Row[*tuple[Any, ...]], points: int) -> None:
    gone = earning.taken_back + points == earning.points
    values: dict[str, Any] = {"taken_back": PointsEarning.taken_back + points}
    if gone:
        values |= {"state": "cancelled", "resolved_at": clock.now()}
    session().execute(update(PointsEarning).where(PointsEarning.id == earning.id).values(**values))
    if earning.state == "confirmed":
        session().execute(
            update(PointsAccount)
            .where(PointsAccount.customer_id == earning.customer_id)
            .values(lifetime_earned=PointsAccount.lifetime_earned - points)
        )
