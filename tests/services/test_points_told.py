"""What is said of points: where they came from, what a mail says is there, what a certificate may claim."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.blueprints.account.origins import origins_of
from app.blueprints.backoffice.simulator import read_moment
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import transaction
from app.rewards import certificate, queries
from app.rewards.queries.liability import get_liability
from app.rewards.rules import Rules
from app.rewards.service import adjustments, expiry
from app.rewards.service.proof import prove
from app.rewards.service.seals import seal
from jobs.letters import DRAFTS
from tests.factories.people import actor_of, give_points, make_customer, pass_on

RULES = Rules()
ACTOR = system("test")

pytestmark = pytest.mark.usefixtures("app_context")


def adjust(customer_id: uuid.UUID, points: int, expires_at: datetime | None = None) -> Any:
    maker = actor_of(make_customer(role="admin"), role="admin")
    with transaction():
        return adjustments.request(
            customer_id=customer_id,
            points=points,
            reason_code="correction",
            note="as it should be",
            points_expire_at=expires_at,
            rules=RULES,
            actor=maker,
        )


def undo(adjustment_id: uuid.UUID) -> Any:
    maker = actor_of(make_customer(role="admin"), role="admin")
    with transaction():
        return adjustments.undo(adjustment_id=adjustment_id, note="it was not so", rules=RULES, actor=maker)


def test_points_that_were_sent_there_and_back_are_no_refund() -> None:
    one, other = make_customer(points=1_000), make_customer()
    pass_on(one, other, 1_000)
    with clock.travel(days=2):
        pass_on(other, one, 1_000)
    with clock.travel(days=4):
        taken = adjust(one, -100)
        (source,) = origins_of(taken.tx_id, customer_id=one, currency=RULES.currency)
    assert (source.points, source.was_returned) == (100, False)


def test_points_of_an_undone_adjustment_are_no_refund() -> None:
    customer_id = make_customer()
    with transaction():
        give_points(customer_id, 1_000, expires_at=clock.now() + timedelta(days=5))
    given = undo(adjust(customer_id, -300).id)
    (source,) = origins_of(given.tx_id, customer_id=customer_id, currency=RULES.currency)
    assert (source.points, source.was_returned) == (300, False)


def test_mails_name_the_balance_that_the_page_shows() -> None:
    sender, customer_id = make_customer(points=5_000), make_customer()
    pass_on(sender, customer_id, 5_000)
    adjustment = adjust(customer_id, 100)
    whose = {"customer_id": str(customer_id)}
    expiring = {"points": 5_000, "days": 30, "expires_on": "2031-01-31"}
    mails = (
        DRAFTS["points_adjusted"](whose | {"adjustment_id": str(adjustment.id)}),
        DRAFTS["points_expiring"](whose | expiring),
    )
    assert queries.get_purse(customer_id).spendable == 100, "the others cool off"
    assert [mail.context["balance"] for mail in mails if mail is not None] == [100, 5_100]


def test_what_expired_before_the_window_and_is_taken_back_now_is_no_breakage() -> None:
    now = clock.now()
    gift = adjust(make_customer(), 1_000, expires_at=now + timedelta(days=1))
    with clock.travel(days=2), transaction():
        expiry.expire_batch(after=expiry.start(), actor=ACTOR)
    with clock.travel(days=400):
        undo(gift.id)
        assert get_liability(RULES).breakage_permille == 0


@pytest.mark.parametrize("moment", [10**30, -1, "5", 1.5, True, None])
def test_a_certificate_whose_seal_has_no_instant_is_refused(
    app: Flask, tmp_path: Path, moment: object
) -> None:
    customer_id = make_customer(points=10)
    with transaction():
        seal()
    with transaction():
        document = json.loads(json.dumps(prove(customer_id=customer_id)))
    document["seal"]["sealed_at_us"] = moment
    before = bytes.fromhex(document["seal"]["prev_hash"])
    document["seal"]["hash"] = certificate.seal_hash(before, document["seal"]).hex()
    assert certificate.problems(document) == ["The seal does not say when it was made."]
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(document))
    refused = app.test_cli_runner().invoke(args=["rewards", "check", str(file)])
    assert (refused.exit_code, type(refused.exception)) == (1, SystemExit)


def test_a_certificate_with_depths_that_nobody_can_write_is_refused() -> None:
    customer_id = make_customer(points=10)
    with transaction():
        document = json.loads(json.dumps(prove(customer_id=customer_id)))
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    document["transactions"][0]["meta"] = deep
    assert certificate.problems(document)[0].startswith("The certificate is damaged: RecursionError")


def test_a_file_without_an_end_is_no_certificate(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    file.write_text("[" * 200_000)
    refused = app.test_cli_runner().invoke(args=["rewards", "check", str(file)])
    assert (refused.exit_code, type(refused.exception)) == (1, SystemExit)
    assert "nested too deeply" in refused.output


def test_a_moment_with_an_offset_is_that_moment() -> None:
    assert read_moment("2027-01-31T00:00") == datetime(2027, 1, 31, tzinfo=UTC)
    assert read_moment("2027-01-31T00:00+08:00") == datetime(2027, 1, 30, 16, tzinfo=UTC)


def test_a_batch_of_no_lots_is_refused(app: Flask) -> None:
    refused = app.test_cli_runner().invoke(args=["rewards", "expire", "--batch", "0"])
    assert refused.exit_code == 2
    assert "--batch" in refused.output
