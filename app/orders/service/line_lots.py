"""The lots behind each line's points: written with the hold that takes them, counted back with each refund."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy import select, text

from app.kernel.database import session
from app.kernel.errors import Conflict
from app.orders.lot_rules import LotShare, give_back, share_lots
from app.orders.models import OrderLine, OrderLineLot
from app.orders.rules import RefundPlan
from app.rewards.models import PointsHold, PointsLot
from app.rewards.service.holds import Held

# One statement: the database compares a hold's rows with its lines and lots as soon as they are written.
WRITE = text(
    """
    INSERT INTO order_line_lot (hold_id, order_id, position, lot_id, points)
    SELECT CAST(:hold_id AS uuid), CAST(:order_id AS uuid), x.position, x.lot_id, x.points
      FROM unnest(CAST(:positions AS bigint[]), CAST(:lots AS uuid[]), CAST(:points AS bigint[]))
        AS x(position, lot_id, points)
    """
)
COUNT_BACK = text(
    """
    UPDATE order_line_lot x SET returned = x.returned + b.points
      FROM points_hold h, order_line l,
           unnest(CAST(:skus AS text[]), CAST(:lots AS uuid[]), CAST(:points AS bigint[])) AS b(sku, lot_id, points)
     WHERE h.order_id = :order_id AND h.state = 'captured' AND x.hold_id = h.id
       AND l.order_id = h.order_id AND l.sku = b.sku AND x.position = l.position AND x.lot_id = b.lot_id
    """
)


def write(*, order_id: uuid.UUID, held: Held, lines: Mapping[int, int]) -> None:
    """Share a new hold's lots over the order's lines (position -> points).

    The database checks both sums, and that no hold of an order goes without (migration 0054).
    """
    shares = share_lots(lines, held.lots)
    parameters = {
        "hold_id": held.id,
        "order_id": order_id,
        "positions": [share.line for share in shares],
        "lots": [share.lot_id for share in shares],
        "points": [share.points for share in shares],
    }
    session().execute(WRITE, parameters)


def count_back(*, order_id: uuid.UUID, plan: RefundPlan) -> dict[uuid.UUID, int]:
    """Note which lots get the plan's points back; lot -> points. The caller holds the order's row lock.

    A line's own lots come first, the latest expiry first. Raises Conflict `REFUND_EXCEEDS_PAID` with `left`.
    """
    left = _list_left(order_id)
    wanted = {line.sku: line.give.points for line in plan.lines}
    try:
        back = give_back(wanted, left)
    except ValueError as error:
        message = "That is more than is left of the points paid."
        raise Conflict(
            message, code="REFUND_EXCEEDS_PAID", details={"left": sum(share.points for share in left)}
        ) from error
    parameters = {
        "order_id": order_id,
        "skus": [share.line for share in back],
        "lots": [share.lot_id for share in back],
        "points": [share.points for share in back],
    }
    session().execute(COUNT_BACK, parameters)
    lots: dict[uuid.UUID, int] = {}
    for share in back:
        lots[share.lot_id] = lots.get(share.lot_id, 0) + share.points
    return lots


def _list_left(order_id: uuid.UUID) -> list[LotShare]:
    share, line, lot = OrderLineLot, OrderLine, PointsLot
    rows = session().execute(
        select(line.sku, share.lot_id, share.points - share.returned)
        .join(PointsHold, PointsHold.id == share.hold_id)
        .join(line, (line.order_id == share.order_id) & (line.position == share.position))
        .join(lot, lot.id == share.lot_id)
        .where(PointsHold.order_id == order_id, PointsHold.state == "captured", share.points > share.returned)
        .order_by(lot.expires_at.desc().nulls_first(), lot.id.desc(), share.position)
    )
    return [LotShare(sku, lot_id, points) for sku, lot_id, points in rows]
