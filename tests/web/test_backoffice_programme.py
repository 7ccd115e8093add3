"""The programme at the desks: adjustments by file, a draft of the rules simulated and published, liability."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.blueprints.backoffice.liability import bars_of
from app.kernel import clock
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.rewards.models import PointsAdjustment, RewardsRules
from app.rewards.programme_models import AdjustmentBatch
from app.rewards.queries import get_balance, get_batch, rules_in_force
from tests.factories.people import give_points, make_customer
from tests.sandbox.peers import Gateway
from tests.web.desk import Desk, audit_rows, hidden, hire, latest_audit, paid_order, shows, text_of
from tests.web.desk_things import file_of, waiting_batch
from tests.web.statements import statements

NEW, DRAFT = "/admin/adjustment-files/new", "/admin/rules-draft/"


@pytest.fixture(scope="module")
def admin(app: Flask) -> Desk:
    return Desk(app, "admin")


def customers(app: Flask, *points: int) -> list[uuid.UUID]:
    with app.app_context():
        return [make_customer(points=one) for one in points]


def available(app: Flask, *people: uuid.UUID) -> list[int]:
    with app.app_context():
        return [get_balance(one).available for one in people]


def everything(app: Flask, *people: uuid.UUID) -> tuple[Any, ...]:
    with app.app_context():
        counts = [
            session().scalar(select(func.count()).select_from(model))
            for model in (AdjustmentBatch, PointsAdjustment, RewardsRules, OutboxRow)
        ]
    return counts, audit_rows(app), available(app, *people)


def send_in(desk: Desk, content: bytes, name: str = "april.csv") -> TestResponse:
    data = {"csrf_token": desk.token, "step": "preview", "file": (io.BytesIO(content), name)}
    return desk.client.post(NEW, data=data, content_type="multipart/form-data")


def confirm(desk: Desk, shown: TestResponse) -> TestResponse:
    return desk.post(
        NEW, step="apply", content=hidden(shown, "content"), file_name=hidden(shown, "file_name")
    )


class TestFiles:
    def test_looked_at_first_and_booked_whole_when_it_is_confirmed(self, app: Flask, admin: Desk) -> None:
        people = customers(app, 100, 1_000)
        before = everything(app, *people)
        shown = send_in(admin, file_of(dict(zip(people, (500, -300), strict=True))))
        assert everything(app, *people) == before, "a look changes nothing"
        text = text_of(shown)
        assert "2 rows, +500 and −300 miles" in text
        assert f"2 {people[0]} campaign +500 100 600 none" in text
        assert f"3 {people[1]} campaign −300 1,000 700 none" in text
        rows = audit_rows(app)
        answer = confirm(admin, shown)
        assert answer.status_code == 303
        assert available(app, *people) == [600, 700]
        assert audit_rows(app) == rows + 3, "one for each customer's adjustment and one for the file"
        text = text_of(admin.get(answer.location))
        assert "The file is booked" in text
        assert "Decided by nobody else: within the limit" in text
        one = re.search(
            r'href="(/admin/adjustments/[^"]+)"', admin.get(answer.location).text.partition("The rows of")[2]
        )
        assert one is not None
        assert f'href="{answer.location}"' in admin.get(one[1]).text
        result = admin.get(f"{answer.location}/result.csv")
        table = list(csv.reader(io.StringIO(result.text)))
        assert [row[2:6] for row in table[1:]] == [
            ["500", "100", "600", "applied"],
            ["-300", "1000", "700", "applied"],
        ]
        assert "attachment" in result.headers["Content-Disposition"]
        before = everything(app, *people)
        again = confirm(admin, shown)
        assert (again.status_code, "booked already" in again.text) == (409, True)
        seen = send_in(admin, file_of(dict(zip(people, (500, -300), strict=True))))
        assert (seen.status_code, "booked already" in seen.text) == (409, True), "the look says so too"
        assert everything(app, *people) == before

    @shows(NEW)
    def test_above_the_limit_a_file_waits(self, app: Flask) -> None:
        support, people = Desk(app, "support"), customers(app, 0, 0)
        shown = send_in(support, file_of(dict.fromkeys(people, 3_000)))
        assert "Its total of 6,000 is above what you may do alone" in text_of(shown)
        rows = audit_rows(app)
        answer = confirm(support, shown)
        assert answer.status_code == 303
        assert available(app, *people) == [0, 0]
        assert audit_rows(app) == rows + 1
        assert latest_audit(app).action == "points.batch_requested"
        text = text_of(support.get(answer.location))
        assert "Somebody else, whose role includes approvals, decides this." in text
        assert "Why it is right" not in text

    @shows("/admin/adjustment-files/<uuid:batch_id>/approve")
    def test_somebody_else_approves_it(self, app: Flask, admin: Desk) -> None:
        maker, _ = hire(app, "support")
        (customer,) = customers(app, 0)
        with app.app_context():
            batch_id = waiting_batch(maker, {customer: 6_000})
        path, rows = f"/admin/adjustment-files/{batch_id}", audit_rows(app)
        assert "Approve 1 row" in text_of(admin.get(path))
        assert admin.post(f"{path}/approve", note="agreed with marketing").status_code == 303
        assert available(app, customer) == [6_000]
        assert audit_rows(app) == rows + 2, "one for the customer's adjustment and one for the file"
        assert (latest_audit(app).action, latest_audit(app).actor_id) == ("points.batch_approved", admin.id)

    @shows("/admin/adjustment-files/<uuid:batch_id>/reject")
    def test_somebody_else_rejects_it(self, app: Flask, admin: Desk) -> None:
        maker, _ = hire(app, "support")
        (customer,) = customers(app, 0)
        with app.app_context():
            batch_id = waiting_batch(maker, {customer: 6_000})
        path, rows = f"/admin/adjustment-files/{batch_id}", audit_rows(app)
        assert admin.post(f"{path}/reject", note="the campaign is over").status_code == 303
        assert (available(app, customer), audit_rows(app)) == ([0], rows + 1)
        with app.app_context():
            assert get_batch(batch_id).state == "rejected"
        before = everything(app, customer)
        assert admin.post(f"{path}/approve", note="changed my mind").status_code == 409
        assert everything(app, customer) == before

    def test_who_sent_it_in_does_not_decide(self, app: Flask) -> None:
        approver = Desk(app, "approver")
        (customer,) = customers(app, 0)
        answer = confirm(approver, send_in(approver, file_of({customer: 30_000})))
        before = everything(app, customer)
        assert "Why it is right" not in approver.get(answer.location).text
        for verb in ("approve", "reject"):
            assert approver.post(f"{answer.location}/{verb}", note="it is fine").status_code == 403
        assert everything(app, customer) == before

    def test_rows_that_cannot_be_booked_are_named_and_stop_the_file(self, app: Flask, admin: Desk) -> None:
        rich, poor = customers(app, 1_000, 10)
        content = (
            file_of({rich: 100, poor: -11})
            + b"nobody@example.test,5,campaign,who is it\n"
            + b"x,many,campaign,hm\n"
        )
        before = everything(app, rich, poor)
        shown = send_in(admin, content)
        text = text_of(shown)
        assert "3 rows cannot be booked, so the file cannot" in text
        assert "The customer has 10 points available" in text
        assert "No customer has this e-mail address or id." in text
        assert "Points are a whole number" in text
        assert 'name="content"' not in shown.text
        forced = admin.post(NEW, step="apply", content=b64encode(content).decode(), file_name="x.csv")
        assert forced.status_code == 422
        assert "The customer has 10 points available" in forced.text
        assert everything(app, rich, poor) == before

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "must name the columns"),
            (b"a,b\n1,2\n", "must name the columns"),
            (b"\xff\xfe\x00", "not in UTF-8. Save it again"),
            (b"customer,points,reason_code,note\n", "1 to 1,000 rows"),
            (b"x" * 180_001, "larger than 180,000 bytes"),
        ],
    )
    def test_what_is_no_such_file_is_said(self, app: Flask, admin: Desk, content: bytes, words: str) -> None:
        before = everything(app)
        answer = send_in(admin, content)
        assert (answer.status_code, words in answer.text) == (422, True), text_of(answer)
        assert "There is a problem" in answer.text
        for missing in ({"step": "preview"}, {"step": "apply"}, {"step": "apply", "content": "*"}):
            assert admin.post(NEW, **missing).status_code == 422
        assert everything(app) == before

    def test_a_thousand_rows_travel_through_the_confirmation(self, app: Flask, admin: Desk) -> None:
        people = customers(app, *[0] * 3)
        lines = file_of(dict.fromkeys(people, 1)) + b"\n" * 3
        content = lines + b"".join(b"u%d@example.test,1,campaign,%s\n" % (n, b"n" * 100) for n in range(997))
        shown = send_in(admin, content)
        assert shown.status_code == 200
        assert "997 rows cannot be booked" in text_of(shown)
        assert shown.text.count("<tr>") == 201


def draft_of(app: Flask, **changes: Any) -> str:
    with app.app_context():
        version = rules_in_force().version
        found = session().get(RewardsRules, version)
        assert found is not None
        return json.dumps({**found.body, **changes})


class TestRules:
    @shows(DRAFT)
    def test_simulated_then_published(self, app: Flask, peer: Gateway, admin: Desk) -> None:
        _, number = paid_order(app, points=1_000)
        with app.app_context():
            order = get_order_view(number)
            earn = rules_in_force().earn
        draft = draft_of(app)
        changed = json.loads(draft)
        changed["earn"]["points_per_100_minor_units"] = 3 * earn.points_per_100_minor_units
        draft = json.dumps(changed)
        before = everything(app)
        shown = admin.post(DRAFT, step="simulate", draft=draft, days="7", key="k-1")
        assert everything(app) == before, "simulating touches nothing"
        text = text_of(shown)
        assert re.search(r"[1-9]\d* paid orders?, none of them touched", text), text
        was, then, difference = re.search(r"Miles earned ([\d,]+) ([\d,]+) \+([\d,]+)", text).groups()  # type: ignore[union-attr]
        was, then, difference = (int(one.replace(",", "")) for one in (was, then, difference))
        assert was >= order.points_earned > 0
        assert (then, difference) == (3 * was, 2 * was)
        assert "Tier member" in text
        rows, seen = audit_rows(app), hidden(shown, "seen")
        start = (clock.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
        form = {
            "step": "publish",
            "draft": draft,
            "days": "7",
            "key": "k-1",
            "seen": seen,
            "reason": "spring campaign",
        }
        answer = admin.post(DRAFT, **form, effective_from=start)
        assert answer.status_code == 303, text_of(answer)
        assert audit_rows(app) == rows + 1
        assert (latest_audit(app).action, latest_audit(app).reason) == (
            "rewards_rules.publish",
            "spring campaign",
        )
        page = text_of(admin.get(answer.location))
        assert "is published." in page
        assert "In force " not in page.partition("In force from")[0]
        before = everything(app)
        again = admin.post(DRAFT, **form, effective_from=start)
        assert (again.status_code, "done once" in again.text) == (409, True)
        assert everything(app) == before

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"draft": "{"}, "This is not JSON"),
            ({"draft": "[]"}, "one JSON object"),
            ({"draft": "[" * 50_000}, "This is not JSON"),
            ({"draft": '{"min_pionts": 5}'}, "min_pionts: There is no such rule."),
            ({"draft": '{"step": 0}'}, "step"),
            ({"days": "0"}, "1 to 365 days"),
            ({"days": "9999"}, "1 to 365 days"),
            ({"step": "publish"}, "Simulate it."),
        ],
    )
    def test_a_draft_that_is_wrong_is_said_and_kept(
        self, app: Flask, admin: Desk, changes: dict[str, str], words: str
    ) -> None:
        before = everything(app)
        form = {"step": "simulate", "draft": draft_of(app), "days": "30", "key": "k-2", **changes}
        answer = admin.post(DRAFT, **form)
        assert (answer.status_code, words in text_of(answer)) == (422, True), text_of(answer)
        assert "There is a problem" in answer.text
        assert form["draft"][:10].replace('"', "&#34;") in answer.text
        assert everything(app) == before

    def test_a_publication_needs_a_reason_and_a_start_that_is_not_past(self, app: Flask, admin: Desk) -> None:
        draft = draft_of(app)
        seen = hidden(admin.post(DRAFT, step="simulate", draft=draft, days="1", key="k-3"), "seen")
        before = everything(app)
        form = {"step": "publish", "draft": draft, "days": "1", "key": "k-3", "seen": seen}
        for wrong, field in (
            ({"reason": "x"}, "rules-reason"),
            ({"reason": "good enough", "effective_from": "2020-01-01T00:00"}, "rules-effective_from"),
            ({"reason": "good enough", "effective_from": "soon"}, "rules-effective_from"),
        ):
            answer = admin.post(DRAFT, **form, **wrong)
            assert (answer.status_code, f'<a href="#{field}">' in answer.text) == (422, True), text_of(answer)
        assert everything(app) == before

    def test_the_draft_starts_from_what_is_in_force(self, app: Flask, admin: Desk) -> None:
        page = admin.get(DRAFT)
        assert "&#34;minor_units_per_100_points&#34;: 1000" in page.text
        assert "Publish" not in text_of(page).partition("New rules")[2].replace("publishing", "")


class TestLiability:
    def test_points_are_valued_by_the_month_in_which_they_expire(self, app: Flask, admin: Desk) -> None:
        (customer,) = customers(app, 700)
        at = clock.now() + timedelta(days=800)
        with app.app_context(), transaction():
            give_points(customer, 1_234, expires_at=at)
        page = admin.get("/admin/liability/")
        text = text_of(page)
        assert f"{at:%B %Y} 1,234 HK$123.40 HK$123.40" in text
        assert re.search(r"never [\d,]+ HK\$", text)
        assert page.text.count('plot__broken"') == page.text.count('<tr><th scope="row">') - 1

    def test_an_empty_programme_has_no_bars(self) -> None:
        assert bars_of([]) == []


def test_pages_cost_a_fixed_number_of_statements(app: Flask, admin: Desk) -> None:
    maker, _ = hire(app, "support")
    people = customers(app, *[0] * 20)
    with app.app_context():
        small = waiting_batch(maker, {people[0]: 9_000})
        large = waiting_batch(maker, dict.fromkeys(people[1:], 1_000))
    counts = {}
    for path in (
        f"/admin/adjustment-files/{small}",
        f"/admin/adjustment-files/{large}",
        "/admin/liability/",
        DRAFT,
    ):
        admin.get(path)
        with statements(app) as sent:
            admin.get(path)
        counts[path] = len(sent)
    assert list(counts.values()) == [4, 4, 5, 3]
