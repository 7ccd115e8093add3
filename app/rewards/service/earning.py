"""Points that are earned: pending first, confirmed into a lot when the return window has passed."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, Update, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import constraint_of, session
from app.rewards.errors import AlreadyPosted
from app.rewards.models import PointsAccount, PointsEarning, PointsTx
from app.rewards.queries import rules_in_force, rules_of_version
from app.rewards.rules import Rules, lot_expiry
from app.rewards.service.accounts import lock_account
from app.rewards.service.posting import Leg, NewLot, Posting, post
from app.rewards.service.tiers import reassess

ORDER = "order"


@dataclass(frozen=True, slots=True)
class Earning:
    """Something that earns, once: an order, or what a bonus is given for. `description` is for the shopper."""

    customer_id: uuid.UUID
    source_type: str
    source_id: str
    order_number: str | None
    points: int
    confirms_at: datetime
    rules_version: int
    breakdown: dict[str, Any]
    description: str


def earn_pending(
    *,
    customer_id: uuid.UUID,
    order_id: uuid.UUID,
    order_number: str,
    points: int,
    confirms_at: datetime,
    rules_version: int,
    breakdown: dict[str, Any],
    actor: Actor,
) -> None:
    """Book `points` as pending for a paid order. Raises AlreadyPosted when the order has earned before.

    An order whose points were all taken back could earn again, once: no verb of the shop reinstates one today.
    """
    earning = Earning(
        customer_id=customer_id,
        source_type=ORDER,
        source_id=str(order_id),
        order_number=order_number,
        points=points,
        confirms_at=confirms_at,
        rules_version=rules_version,
        breakdown=breakdown,
        description=f"Earned with order {order_number}",
    )
    book(earning, actor=actor)


def book(earning: Earning, *, actor: Actor) -> uuid.UUID:
    """Book it as pending; its id. Raises AlreadyPosted unless an earlier one was taken back whole."""
    lock_account(customer_id=earning.customer_id)
    before = lock_earning(source_type=earning.source_type, source_id=earning.source_id)
    if before is not None and before.customer_id != earning.customer_id:
        raise AlreadyPosted("Another customer has earned with this.")
    key = f"earn:{earning.source_type}:{earning.source_id}"
    if before is not None and before.state == "cancelled":
        key = f"{key}:{_times_booked(earning.customer_id, key) + 1}"
    legs = [Leg("issued", -earning.points), Leg("pending", earning.points)]
    ref_type, ref_id = _ref(earning.source_type, earning.source_id, earning.order_number)
    # what it was computed from goes under the chain's hash: the rows that say so can be changed, this cannot
    meta = {
        "source": [earning.source_type, earning.source_id],
        "rules_version": earning.rules_version,
        "breakdown": earning.breakdown,
    }
    posting = Posting(
        earning.customer_id, "earn", key, ref_type, ref_id, earning.description, legs, meta=meta
    )
    post(posting, actor=actor)
    values = {
        "order_number": earning.order_number,
        "points": earning.points,
        "taken_back": 0,
        "state": "pending",
        "rules_version": earning.rules_version,
        "breakdown": earning.breakdown,
        "lot_id": None,
        "confirms_at": earning.confirms_at,
        "held_back_at": None,
        "resolved_at": None,
    }
    if before is not None:
        session().execute(update(PointsEarning).where(PointsEarning.id == before.id).values(**values))
        return uuid.UUID(str(before.id))
    earning_id = ids.uuid7()
    fixed = {
        "id": earning_id,
        "customer_id": earning.customer_id,
        "source_type": earning.source_type,
        "source_id": earning.source_id,
        "created_at": clock.now(),
    }
    try:
        session().execute(insert(PointsEarning).values(**fixed, **values))
    except IntegrityError as error:
        if constraint_of(error) == "uq_points_earning_source_type_source_id":
            raise AlreadyPosted("Another customer has earned with this at the same time.") from error
        raise
    return earning_id


def restart_window(*, order_number: str, rules: Rules) -> None:
    """The order was delivered: where the rules count from delivery, its pending points wait that long from now.

    Without this call they are confirmed when the return window after the payment ends: a delivery that nobody notes
    must not keep points pending for ever.
    """
    if rules.earn.days_after_delivery is None:
        return
    session().execute(
        update(PointsEarning)
        .where(PointsEarning.order_number == order_number, PointsEarning.state == "pending")
        .values(confirms_at=clock.now() + timedelta(days=rules.earn.days_after_delivery))
    )


def hold_back(*, order_number: str) -> int:
    """What the order earned stays pending until `let_go`; how many earnings wait now. Confirmed ones stay."""
    statement = update(PointsEarning).where(
        PointsEarning.order_number == order_number, PointsEarning.state == "pending"
    )
    return _count(statement.values(held_back_at=func.coalesce(PointsEarning.held_back_at, clock.now())))


def let_go(*, order_number: str) -> int:
    """What was held back confirms when its window is over, or at once if it is; how many earnings."""
    statement = update(PointsEarning).where(
        PointsEarning.order_number == order_number, PointsEarning.held_back_at.is_not(None)
    )
    return _count(statement.values(held_back_at=None))


def _count(statement: Update) -> int:
    return len(session().execute(statement.returning(PointsEarning.id)).all())


class DueEarning(NamedTuple):
    """A pending earning whose window has passed."""

    id: uuid.UUID
    customer_id: uuid.UUID


def list_due_earnings(*, past: Collection[uuid.UUID] = (), limit: int = 100) -> list[DueEarning]:
    """Oldest first, without those of the customers in `past`."""
    statement = (
        select(PointsEarning.id, PointsEarning.customer_id)
        .where(
            PointsEarning.state == "pending",
            PointsEarning.confirms_at <= clock.now(),
            PointsEarning.held_back_at.is_(None),
        )
        .order_by(PointsEarning.confirms_at, PointsEarning.id)
        .limit(limit)
    )
    if past:
        statement = statement.where(PointsEarning.customer_id.not_in(past))
    return [DueEarning(*row) for row in session().execute(statement)]


def confirm(*, earning_id: uuid.UUID, rules: Rules, actor: Actor) -> int:
    """Pending points become spendable; how many. A debt is paid first. 0 when not due or not pending.

    `rules` say how long the points live: those of the version that they were earned under.
    """
    customer_id = session().scalar(select(PointsEarning.customer_id).where(PointsEarning.id == earning_id))
    if customer_id is None:
        return 0
    balances = lock_account(customer_id=customer_id)
    row = session().execute(_LOCKED.where(PointsEarning.id == earning_id).with_for_update()).one()
    now = clock.now()
    points: int = row.points - row.taken_back
    if row.state != "pending" or row.confirms_at > now or row.held_back_at is not None or points <= 0:
        return 0
    to_debt = min(-balances.debt, points)
    ref_type, ref_id = _ref(row.source_type, row.source_id, row.order_number)
    lot = NewLot(ids.uuid7(), ref_type, ref_id, lot_expiry(now, rules))
    legs = [Leg("pending", -to_debt), Leg("debt", to_debt)] if to_debt else []
    lots = []
    if points > to_debt:
        legs += [Leg("pending", to_debt - points, lot.id), Leg("available", points - to_debt, lot.id)]
        lots = [lot]
    description = _description(row.source_type, row.order_number)
    # an earning that was taken back and booked again confirms again, under the name of its new booking
    key = f"confirm:{row.id}:{int(row.confirms_at.timestamp() * 1_000_000)}"
    posting = Posting(customer_id, "earn_confirm", key, ref_type, ref_id, description, legs, lots)
    post(posting, actor=actor)
    _write_confirmed(row, points, lot.id if lots else None, now)
    return points


def confirm_one(*, earning_id: uuid.UUID, actor: Actor) -> int:
    """`confirm` by the rules it was earned under, and the tier that follows from it by those in force."""
    row = (
        session()
        .execute(
            select(PointsEarning.customer_id, PointsEarning.rules_version).where(
                PointsEarning.id == earning_id
            )
        )
        .first()
    )
    if row is None:
        return 0
    points = confirm(earning_id=earning_id, rules=rules_of_version(row.rules_version), actor=actor)
    if points:
        reassess(customer_id=row.customer_id, rules=rules_in_force().tiers)
    return points


_LOCKED: Select[*tuple[Any, ...]] = select(
    PointsEarning.id,
    PointsEarning.customer_id,
    PointsEarning.source_type,
    PointsEarning.source_id,
    PointsEarning.order_number,
    PointsEarning.state,
    PointsEarning.points,
    PointsEarning.taken_back,
    PointsEarning.confirms_at,
    PointsEarning.held_back_at,
    PointsEarning.rules_version,
    PointsEarning.lot_id,
)


def lock_earning(*, source_type: str, source_id: str) -> Row[*tuple[Any, ...]] | None:
    """The earning of a source, its row locked; the account's lock comes first."""
    statement = _LOCKED.where(PointsEarning.source_type == source_type, PointsEarning.source_id == source_id)
    return session().execute(statement.with_for_update()).first()


def _times_booked(customer_id: uuid.UUID, key: str) -> int:
    same = PointsTx.idem_key.startswith(key, autoescape=True)
    statement = select(func.count()).where(PointsTx.customer_id == customer_id, same)
    return int(session().scalar(statement) or 0)


def _ref(source_type: str, source_id: str, order_number: str | None) -> tuple[str, str]:
    """What the ledger says that it is about."""
    return ("order", order_number) if order_number else (source_type, source_id)


def _description(source_type: str, order_number: str | None) -> str:
    if source_type == ORDER:
        return f"Earned with order {order_number}"
    return f"Bonus: {source_type.replace('_', ' ')}"


def _write_confirmed(
    row: Row[*tuple[Any, ...]], points: int, lot_id: uuid.UUID | None, now: datetime
) -> None:
    session().execute(
        update(PointsEarning)
        .where(PointsEarning.id == row.id)
        .values(state="confirmed", resolved_at=now, lot_id=lot_id)
    )
    session().execute(
        update(PointsAccount)
        .where(PointsAccount.customer_id == row.customer_id)
        .values(lifetime_earned=PointsAccount.lifetime_earned + points)
    )
