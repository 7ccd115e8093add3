"""The numbers of the first page: one statement, and no count goes further than anybody reads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, literal, select

from app.catalogue.models import Variant
from app.kernel import clock
from app.kernel.database import session
from app.orders.models import Order
from app.orders.states import ORDER
from app.outbox.models import OutboxRow
from app.payments.models import Dispute, ReconciliationIssue, WebhookEvent
from app.rewards.models import PointsAdjustment

MOST = 10_000
OVERDUE = timedelta(minutes=15)


def count_everything() -> dict[str, int]:
    """`orders.<status>` and the things that wait for somebody; at most MOST + 1 of each."""
    conditions: dict[str, tuple[Any, Any]] = {
        f"orders.{status}": (Order, Order.status == status) for status in sorted(ORDER.states)
    }
    overdue = (Order.status == "payment_pending") & (Order.placed_at < clock.now() - OVERDUE)
    conditions |= {
        "overdue": (Order, overdue),
        "issues": (ReconciliationIssue, ReconciliationIssue.state == "open"),
        "disputes": (Dispute, Dispute.state == "open"),
        "adjustments": (PointsAdjustment, PointsAdjustment.state == "awaiting_approval"),
        "low_stock": (Variant, Variant.is_active & (Variant.availability == "low_stock")),
        "sold_out": (Variant, Variant.is_active & (Variant.availability == "sold_out")),
        "dead_jobs": (OutboxRow, OutboxRow.dead_at.is_not(None)),
        "dead_callbacks": (WebhookEvent, WebhookEvent.state == "dead"),
    }
    columns = [_bounded(model, condition).label(name) for name, (model, condition) in conditions.items()]
    row = session().execute(select(*columns)).one()
    return dict(row._mapping)


def _bounded(model: Any, condition: Any) -> Any:
    rows = select(literal(1)).select_from(model).where(condition).limit(MOST + 1).subquery()
    return select(func.count()).select_from(rows).scalar_subquery()
