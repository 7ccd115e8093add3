"""The first page: what waits for somebody, as far as their role has to do with it."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.blueprints.backoffice import figures
from app.blueprints.backoffice.access import ANY_STAFF, StaffPage, allowed, page
from app.blueprints.backoffice.cells import words
from app.blueprints.common.actors import current_person
from app.orders.states import ORDER
from app.outbox import runs

# figure -> (sentence, permission, endpoint of the list, its filters)
WAITING = {
    "overdue": (
        "Payments pending for more than 15 minutes",
        "orders.read",
        "admin_orders",
        "payment_pending",
    ),
    "orders.needs_review": ("Orders to review", "orders.read", "admin_orders", "needs_review"),
    "issues": ("Open differences with the gateway", "payments.read", "admin_issues", "open"),
    "disputes": ("Disputes to answer", "payments.read", "admin_disputes", "open"),
    "adjustments": (
        "Adjustments that wait for approval",
        "rewards.read",
        "admin_adjustments",
        "awaiting_approval",
    ),
    "dead_jobs": ("Jobs that were given up", "jobs.read", "admin_jobs", None),
    "dead_callbacks": ("Callbacks that could not be applied", "payments.read", "admin_webhooks", "dead"),
    "low_stock": ("Variants that are running low", "catalogue.read", "admin_products", "low_stock"),
    "sold_out": ("Variants sold out", "catalogue.read", "admin_products", "sold_out"),
}
STATUSES = (
    "payment_pending",
    "paid",
    "packed",
    "shipped",
    "delivered",
    "payment_failed",
    "cancelled",
    "refunded",
)


class Dashboard(StaffPage):
    permission = ANY_STAFF

    def __init__(self) -> None:
        super().__init__("Overview", endpoint="admin", url="/admin")

    @page()
    def index(self) -> str:
        person = current_person()
        assert person is not None
        counts = figures.count_everything()
        late = runs.list_late() if allowed(person.role, "jobs.read") else []
        return self.render(
            "admin/dashboard.html",
            waiting=_waiting(counts, person.role),
            statuses=_statuses(counts) if allowed(person.role, "orders.read") else [],
            late=late,
        )


def _waiting(counts: dict[str, int], role: str) -> list[dict[str, Any]]:
    return [
        {
            "text": text,
            "count": counts[name],
            "more": counts[name] > figures.MOST,
            "url": url_for(f"{endpoint}.index_view", status=state),
            "urgent": counts[name] > 0 and name not in {"low_stock", "sold_out", "adjustments"},
        }
        for name, (text, permission, endpoint, state) in WAITING.items()
        if allowed(role, permission)
    ]


def _statuses(counts: dict[str, int]) -> list[dict[str, Any]]:
    assert set(STATUSES) | {"needs_review"} == ORDER.states
    return [
        {
            "text": words(status),
            "count": min(counts[f"orders.{status}"], figures.MOST),
            "more": counts[f"orders.{status}"] > figures.MOST,
            "url": url_for("admin_orders.index_view", status=status),
        }
        for status in STATUSES
    ]
