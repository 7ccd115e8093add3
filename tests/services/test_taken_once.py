"""Who owes points pays before anything else, and points that have expired are not taken a second time."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import timedelta

import pytest

from app.accounts.queries import get_customer
from app.kernel import clock, ids
from app.kernel.database import run_atomically, session, transaction
from app.rewards.errors import PointsOwed
from app.rewards.queries import list_transactions
from app.rewards.queries.liability import FATES, WINDOW
from app.rewards.queries.transfers import get_transfer
from app.rewards.service import adjustments, batches, expiry, holds, refunds, transfers
from tests.factories.people import actor_of, give_points, make_customer
from tests.factories.spent import latest_first
from tests.services.debts import ACTOR, RULES, debtor, differences, earned, spend, standing, taken_back
from tests.services.test_adjustments import ask, staff

pytestmark = pytest.mark.usefixtures("app_context")


def hold(customer_id: uuid.UUID, points: int) -> uuid.UUID:
    order_id = ids.uuid7()
    with transaction():
        holds.hold(
            customer_id=customer_id, order_id=order_id, order_number=ids.order_number(), points=points,
            rules=RULES, actor=ACTOR,
        )  # fmt: skip
    return order_id


def release(order_id: uuid.UUID) -> None:
    run_atomically(lambda: holds.release(order_id=order_id, rules=RULES, actor=ACTOR))


def owing_while_held(customer_id: uuid.UUID) -> uuid.UUID:
    """1,000 earned, held, and taken back meanwhile: 1,000 are owed; the hold's order."""
    order = earned(customer_id, 1_000)
    held = hold(customer_id, 1_000)
    assert taken_back(customer_id, order).owed == 1_000
    assert standing(customer_id) == (0, 1_000)
    return held


def send(sender: uuid.UUID, recipient: uuid.UUID, points: int) -> uuid.UUID:
    email = get_customer(recipient).email
    with transaction():
        asked = transfers.request(
            sender_id=sender, recipient_email=email, points=points, rules=RULES, actor=actor_of(sender)
        )
    return asked.id


def confirm(transfer_id: uuid.UUID, sender: uuid.UUID) -> None:
    with transaction():
        transfers.confirm(transfer_id=transfer_id, rules=RULES, actor=actor_of(sender))


def test_points_that_a_hold_gives_back_pay_what_is_owed_first() -> None:
    customer_id = make_customer()
    held = owing_while_held(customer_id)
    with transaction():
        give_points(customer_id, 300)
    assert standing(customer_id) == (0, 700)
    release(held)
    assert standing(customer_id) == (300, 0)
    newest = list_transactions(customer_id, limit=1).items[0]
    assert (newest.kind, newest.points, newest.description) == ("clawback", -700, "Paid what was owed")
    assert differences() == {}


def test_points_that_an_order_gives_back_pay_what_is_owed_first() -> None:
    customer_id = make_customer(points=500)
    order_id = hold(customer_id, 500)
    run_atomically(lambda: holds.capture(order_id=order_id, actor=ACTOR))
    debtor(customer_id, owed=300)
    number = list_transactions(customer_id, kind="redeem", limit=1).items[0].order_number
    with transaction():
        whose = {"customer_id": customer_id, "order_id": order_id, "order_number": str(number)}
        lots = latest_first(**whose, points=400)
        refunds.return_points(**whose, lots=lots, idem_key="back", rules=RULES, actor=ACTOR)
    assert standing(customer_id) == (100, 0)
    assert differences() == {}


def test_an_undone_debit_pays_what_is_owed_first() -> None:
    customer_id, maker = make_customer(points=500), staff()
    taken = ask(customer_id, -500, maker)
    debtor(customer_id, owed=300)
    with transaction():
        adjustments.undo(adjustment_id=taken.id, note="Wrong person", rules=RULES, actor=maker)
    assert standing(customer_id) == (200, 0)
    assert differences() == {}


def test_what_another_member_sends_pays_what_is_owed_first() -> None:
    sender, recipient = make_customer(points=2_000), make_customer()
    debtor(recipient, owed=700)
    confirm(send(sender, recipient, 1_000), sender)
    assert (standing(sender), standing(recipient)) == ((1_000, 0), (300, 0))
    assert differences() == {}


def test_who_owes_points_sends_none() -> None:
    sender, recipient = make_customer(), make_customer()
    debtor(sender, owed=700)
    with pytest.raises(PointsOwed):
        send(sender, recipient, 500)
    with transaction():
        give_points(sender, 1_700)
    asked = send(sender, recipient, 1_000)
    order = earned(sender, 200)
    spend(sender, 1_200)
    taken_back(sender, order)
    assert standing(sender) == (0, 200)
    with pytest.raises(PointsOwed):
        confirm(asked, sender)
    assert get_transfer(asked).state == "awaiting_confirmation"
    assert (standing(sender), standing(recipient)) == ((0, 200), (0, 0))


@pytest.mark.parametrize("job_was_there", [True, False])
def test_what_an_earning_lost_to_expiry_is_not_taken_back_again(job_was_there: bool) -> None:
    customer_id = make_customer(points=5_000)
    order = earned(customer_id, 1_000)
    spend(customer_id, 400)
    with clock.travel(days=RULES.earn.lot_days or 0, minutes=1):
        if job_was_there:
            run_atomically(lambda: expiry.expire_batch(after=expiry.start(), actor=ACTOR))
        some = taken_back(customer_id, order, 500)
        assert (some.expired, some.available, some.owed, some.points) == (500, 0, 0, 0)
        rest = taken_back(customer_id, order)
        assert (rest.expired, rest.available, rest.owed, rest.points) == (100, 400, 0, 400)
        assert standing(customer_id) == (4_600, 0)
        assert differences() == {}


def test_what_came_back_late_and_expired_then_is_not_taken_back_again() -> None:
    customer_id = make_customer()
    order = earned(customer_id, 1_000)
    held = hold(customer_id, 1_000)
    with clock.travel(days=RULES.earn.lot_days or 0, minutes=1):
        release(held)
    with clock.travel(days=(RULES.earn.lot_days or 0) + RULES.release_grace_days, minutes=2):
        taken = taken_back(customer_id, order)
        assert (taken.expired, taken.points, standing(customer_id)) == (1_000, 0, (0, 0))
        assert differences() == {}


def test_what_was_taken_back_after_it_had_expired_is_no_breakage() -> None:
    customer_id, maker = make_customer(), staff()
    gift = ask(customer_id, 500, maker, points_expire_at=clock.now() + timedelta(days=1))
    with clock.travel(days=2):
        run_atomically(lambda: expiry.expire_batch(after=expiry.start(), actor=ACTOR))

        def expired() -> int:
            session().rollback()
            return int(session().execute(FATES, {"since": clock.now() - WINDOW}).one().expired)

        before = expired()
        assert before >= 500
        with transaction():
            adjustments.undo(adjustment_id=gift.id, note="Wrong person", rules=RULES, actor=maker)
        assert expired() == before - 500


def test_the_dry_run_knows_what_the_customer_owes_as_the_booking_does() -> None:
    customer_id, maker = make_customer(), staff("admin")
    debtor(customer_id, owed=700)
    for points, before, after in ((500, 0, 0), (400, 0, 200), (-50, 200, 150)):
        content = f"customer,points,reason_code,note\n{customer_id},{points},goodwill,hello there\n".encode()
        with transaction():
            (row,) = batches.dry_run(content=content, rules=RULES, actor=maker).rows
        assert (row.before, row.after, row.problem) == (before, after, None)
        with transaction():
            made = batches.submit(content=content, file_name="may.csv", rules=RULES, actor=maker)
        (line,) = csv.DictReader(io.StringIO(batches.result_file(batch_id=made.id)))
        assert (line["before"], line["after"]) == (str(before), str(after))
        assert standing(customer_id)[0] == after
