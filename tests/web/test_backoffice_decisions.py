"""What staff decide about what was asked or done before: approved, rejected, undone, active again."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.queries import get_customer
from app.rewards.models import PointsAdjustment
from app.rewards.queries import get_adjustment, get_balance
from tests.factories.people import make_customer
from tests.services.debts import debtor, standing
from tests.web.desk import Desk, audit_rows, hidden, hire, look, shows, text_of
from tests.web.desk_things import waiting_adjustment


@pytest.fixture(scope="module")
def admin(app: Flask) -> Desk:
    return Desk(app, "admin")


class TestDecisions:
    @shows("/admin/adjustments/<uuid:adjustment_id>/approve")
    def test_approved_by_a_second_person(self, app: Flask, admin: Desk) -> None:
        adjustment_id, customer_id = waiting_adjustment(app)
        before = audit_rows(app)
        answer = admin.post(f"/admin/adjustments/{adjustment_id}/approve", note="checked the parcel")
        assert answer.status_code == 303
        with app.app_context():
            assert get_balance(customer_id).available == 6_100
            assert get_adjustment(adjustment_id).state == "applied"
        assert audit_rows(app) == before + 1

    @shows("/admin/adjustments/<uuid:adjustment_id>/reject")
    def test_rejected_and_then_too_late_to_approve(self, app: Flask, admin: Desk) -> None:
        adjustment_id, customer_id = waiting_adjustment(app)
        before = audit_rows(app)
        assert (
            admin.post(f"/admin/adjustments/{adjustment_id}/reject", note="not our parcel").status_code == 303
        )
        assert admin.post(f"/admin/adjustments/{adjustment_id}/approve", note="or is it?").status_code == 409
        with app.app_context():
            assert get_balance(customer_id).available == 100
        assert audit_rows(app) == before + 1

    @shows("/admin/adjustments/<uuid:adjustment_id>/undo")
    def test_undone_once(self, app: Flask, admin: Desk) -> None:
        adjustment_id, customer_id = waiting_adjustment(app)
        admin.post(f"/admin/adjustments/{adjustment_id}/approve", note="checked the parcel")
        before = audit_rows(app)
        path = f"/admin/adjustments/{adjustment_id}/undo"
        assert admin.post(path, note="wrong customer").status_code == 303
        assert admin.post(path, note="wrong customer").status_code == 409
        with app.app_context():
            assert get_balance(customer_id).available == 100
        assert audit_rows(app) == before + 1

    def test_never_by_the_one_who_asked(self, app: Flask) -> None:
        desk = Desk(app, "approver")
        with app.app_context():
            customer_id = make_customer()
        form = {
            "points": "70000",
            "reason_code": "campaign",
            "note": "big campaign",
            "key": "k",
        }
        path = f"/admin/adjustments/new/{customer_id}"
        shown = desk.post(path, step="preview", **form)
        assert desk.post(path, step="apply", seen=hidden(shown, "seen"), **form).status_code == 303
        mine = look(app, select(PointsAdjustment.id).where(PointsAdjustment.customer_id == customer_id))
        before = audit_rows(app)
        page = f"/admin/adjustments/{mine}"
        assert "Why it is right" not in desk.get(page).text
        assert desk.post(f"{page}/approve", note="I am sure").status_code == 403
        with app.app_context():
            assert get_adjustment(mine).state == "awaiting_approval"
            assert get_balance(customer_id).available == 0
        assert audit_rows(app) == before

    @shows("/admin/customers/<uuid:customer_id>/reactivate")
    def test_active_again(self, app: Flask, admin: Desk) -> None:
        person_id, _ = hire(app, "customer")
        admin.post(f"/admin/customers/{person_id}/deactivate", reason="lost the phone")
        before = audit_rows(app)
        answer = admin.post(f"/admin/customers/{person_id}/reactivate", reason="found the phone")
        assert answer.status_code == 303
        with app.app_context():
            assert get_customer(person_id).is_active
        assert audit_rows(app) == before + 1


class TestAdjusted:
    """The form: what is booked is what was looked at."""

    FORM = {"points": "500", "reason_code": "goodwill", "note": "late parcel", "key": "k"}

    @pytest.mark.parametrize(
        "changed",
        [
            {"points": "50000"},
            {"note": "for a friend"},
            {"reason_code": "campaign"},
            {"points_expire_at": "2099-12-31"},
            {"seen": ""},
        ],
    )
    def test_what_was_changed_after_the_look_is_shown_again(
        self, app: Flask, admin: Desk, changed: dict[str, str]
    ) -> None:
        with app.app_context():
            customer_id = make_customer(points=70)
        path, before = f"/admin/adjustments/new/{customer_id}", audit_rows(app)
        form = self.FORM | {"key": str(customer_id)}
        form["seen"] = hidden(admin.post(path, step="preview", **form), "seen")
        form |= {"step": "apply"} | changed
        shown = admin.post(path, **form)
        points = int(form["points"])
        assert shown.status_code == 200
        assert f"nothing was done yet. Available: 70 before, {70 + points:,} after" in text_of(shown)
        with app.app_context():
            assert (get_balance(customer_id).available, audit_rows(app)) == (70, before)
        assert admin.post(path, **(form | {"seen": hidden(shown, "seen")})).status_code == 303
        with app.app_context():
            assert get_balance(customer_id).available == 70 + points

    @pytest.mark.parametrize(
        ("points", "button"), [(1_000, "Book +1,000 miles"), (6_000, "Ask for approval of +6,000")]
    )
    def test_the_look_knows_that_a_debt_is_paid_first(self, app: Flask, points: int, button: str) -> None:
        support, boss = Desk(app, "support"), Desk(app, "admin")
        with app.app_context():
            debtor(customer_id := make_customer(), owed=399)
        path = f"/admin/adjustments/new/{customer_id}"
        form = self.FORM | {"points": str(points), "key": str(customer_id)}
        shown = support.post(path, step="preview", **form)
        after = points - 399
        assert f"0 before, {after:,} after (+{after:,})." in text_of(shown)
        assert f"paid first: 399 of the {points:,}." in text_of(shown)
        assert f">{button}</button>" in shown.text
        assert support.post(path, step="apply", seen=hidden(shown, "seen"), **form).status_code == 303
        if button.startswith("Ask"):
            waits = select(PointsAdjustment.id).filter_by(customer_id=customer_id, state="awaiting_approval")
            mine = look(app, waits)
            boss.post(f"/admin/adjustments/{mine}/approve", note="agreed so")
        with app.app_context():
            assert standing(customer_id) == (after, 0)

    def test_what_is_all_for_the_debt_leaves_the_balance(self, app: Flask, admin: Desk) -> None:
        with app.app_context():
            debtor(customer_id := make_customer(), owed=399)
        shown = admin.post(
            f"/admin/adjustments/new/{customer_id}", step="preview", **self.FORM | {"points": "99"}
        )
        assert "0 before, 0 after (0). What the customer owes is paid first: 99 of the 99." in text_of(shown)
