"""Transfers between members: limits, a confirmation, a cool-off, and both books in one commit."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.accounts.queries import get_customer
from app.kernel import clock, ids
from app.kernel.actor import system
from app.kernel.database import run_atomically, transaction
from app.kernel.errors import Conflict, Forbidden, RuleBroken, ShopError
from app.rewards import queries
from app.rewards.errors import BelowZero, PointsInsufficient, TransferPending
from app.rewards.policies import TransferRules
from app.rewards.queries.transfers import Transfer, get_transfer, list_transfers
from app.rewards.rules import Rules
from app.rewards.service import holds, transfers
from tests.factories.people import actor_of, give_points, make_customer

RULES = Rules(transfers=TransferRules(min_points=100, per_day=1_000, per_year=1_500))

pytestmark = pytest.mark.usefixtures("app_context")


def ask(sender: uuid.UUID, recipient: uuid.UUID | str, points: int) -> Transfer:
    email = recipient if isinstance(recipient, str) else get_customer(recipient).email
    with transaction():
        return transfers.request(
            sender_id=sender, recipient_email=email, points=points, rules=RULES, actor=actor_of(sender)
        )


def confirm(transfer: Transfer, *, actor: uuid.UUID | None = None) -> Transfer:
    with transaction():
        return transfers.confirm(
            transfer_id=transfer.id, rules=RULES, actor=actor_of(actor or transfer.sender_id)
        )


def footprint(owner: psycopg.Connection) -> Any:
    return owner.execute(
        """SELECT (SELECT count(*) FROM points_tx), (SELECT sum(available * version) FROM points_account),
                  (SELECT count(*) FROM points_transfer), (SELECT count(*) FROM audit_log),
                  (SELECT count(*) FROM outbox), (SELECT string_agg(state, ',' ORDER BY id) FROM points_transfer)"""
    ).fetchone()


def test_points_move_on_confirmation_keep_their_expiry_and_cool_off(owner: psycopg.Connection) -> None:
    sender, recipient = make_customer(points=500), make_customer()
    soon = clock.now() + timedelta(days=20)
    with transaction():
        give_points(sender, 300, expires_at=soon)
    waiting = ask(sender, recipient, 400)
    assert waiting.state == "awaiting_confirmation"
    assert queries.get_balance(sender).available == 800, "nothing moves before the link is used"
    done = confirm(waiting)
    assert (done.state, queries.get_balance(sender).available) == ("done", 400)
    assert queries.get_balance(recipient).available == 400
    assert queries.get_spendable(recipient) == 0
    with pytest.raises(PointsInsufficient), transaction():
        hold(recipient, 400)
    with clock.travel(hours=24, seconds=1):
        assert queries.get_spendable(recipient) == 400
        with transaction():
            hold(recipient, 400)
    lots = owner.execute(
        """SELECT l.granted, l.expires_at, p.customer_id FROM points_lot l JOIN points_lot p ON p.id = l.parent_lot_id
            WHERE l.customer_id = %s ORDER BY l.expires_at""",
        (recipient,),
    ).fetchall()
    assert lots == [(300, soon, sender), (100, None, sender)]
    topics = owner.execute(
        "SELECT topic FROM outbox WHERE payload ->> 'transfer_id' = %s ORDER BY created_at", (str(done.id),)
    ).fetchall()
    assert topics == [("mail.transfer_confirm",), ("mail.transfer_received",)]
    assert (
        [row.id for row in list_transfers(sender)]
        == [row.id for row in list_transfers(recipient)]
        == [done.id]
    )
    transit = owner.execute("SELECT sum(amount) FROM points_entry WHERE account = 'transit'").fetchone()
    assert transit == (0,)


def test_what_arrives_can_be_spent_for_the_days_of_grace_at_least(owner: psycopg.Connection) -> None:
    sender, recipient, now = make_customer(), make_customer(), clock.now()
    for points, expiry in ((200, timedelta(hours=12)), (300, timedelta(days=14)), (400, timedelta(days=16))):
        with transaction():
            give_points(sender, points, expires_at=now + expiry)
    with clock.frozen(now):
        confirm(ask(sender, recipient, 900))
    lots = owner.execute(
        "SELECT granted, expires_at FROM points_lot WHERE customer_id = %s ORDER BY granted", (recipient,)
    ).fetchall()
    grace = now + timedelta(hours=24, days=RULES.release_grace_days)
    assert lots == [(200, grace), (300, grace), (400, now + timedelta(days=16))]
    with clock.frozen(grace - timedelta(seconds=1)):
        assert queries.get_spendable(recipient) == 900
    assert queries.get_balance(sender).available == 0


def hold(customer_id: uuid.UUID, points: int) -> None:
    holds.hold(
        customer_id=customer_id,
        order_id=ids.uuid7(),
        order_number="MPC-1",
        points=points,
        rules=RULES,
        actor=system("test"),
    )


def test_confirmed_once_by_the_sender_only(owner: psycopg.Connection) -> None:
    sender, recipient = make_customer(points=500), make_customer()
    waiting = ask(sender, recipient, 200)
    before = footprint(owner)
    for actor in (actor_of(recipient), actor_of(sender, role="admin"), system("test")):
        for verb in (transfers.cancel, transfers.confirm):
            extra = {"rules": RULES} if verb is transfers.confirm else {}
            with pytest.raises(Forbidden), transaction():
                verb(transfer_id=waiting.id, actor=actor, **extra)
    assert footprint(owner) == before
    confirm(waiting)
    before = footprint(owner)
    with pytest.raises(Conflict):
        confirm(waiting)
    with pytest.raises(Conflict), transaction():
        transfers.cancel(transfer_id=waiting.id, actor=actor_of(sender))
    assert footprint(owner) == before


def test_two_confirmations_at_once_move_the_points_once(app: Flask) -> None:
    sender, recipient = make_customer(points=500), make_customer()
    waiting = ask(sender, recipient, 200)
    barrier, results = threading.Barrier(6), []

    def attempt() -> None:
        with app.app_context():
            barrier.wait()
            try:
                run_atomically(
                    lambda: transfers.confirm(transfer_id=waiting.id, rules=RULES, actor=actor_of(sender))
                )
                results.append("done")
            except Conflict:
                results.append("refused")

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["done"] + ["refused"] * 5
    assert queries.get_balance(recipient).available == 200


def test_two_members_who_send_to_each_other_do_not_block_each_other(app: Flask) -> None:
    first, second = make_customer(points=1_000), make_customer(points=1_000)
    for _ in range(3):
        waiting = [ask(first, second, 100), ask(second, first, 100)]
        barrier, errors = threading.Barrier(2), []

        def attempt(
            transfer: Transfer, barrier: threading.Barrier = barrier, errors: list[str] = errors
        ) -> None:
            with app.app_context():
                barrier.wait()
                try:
                    run_atomically(
                        lambda: transfers.confirm(
                            transfer_id=transfer.id, rules=RULES, actor=actor_of(transfer.sender_id)
                        ),
                        attempts=1,
                    )
                except ShopError as error:
                    errors.append(error.code)

        threads = [threading.Thread(target=attempt, args=(transfer,)) for transfer in waiting]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
    assert queries.get_balance(first).available == queries.get_balance(second).available == 1_000


@pytest.mark.parametrize(
    ("points", "code"),
    [(99, "TRANSFER_BELOW_MIN"), (1_001, "TRANSFER_DAILY_LIMIT"), (-5, "TRANSFER_BELOW_MIN")],
)
def test_limits_name_the_rule(owner: psycopg.Connection, points: int, code: str) -> None:
    sender, recipient = make_customer(points=5_000), make_customer()
    before = footprint(owner)
    with pytest.raises(RuleBroken) as refused:
        ask(sender, recipient, points)
    assert (refused.value.code, refused.value.errors[0].field) == (code, "points")
    assert footprint(owner) == before


def test_daily_and_yearly_limits_count_what_was_sent() -> None:
    sender, recipient = make_customer(points=5_000), make_customer()
    confirm(ask(sender, recipient, 900))
    with pytest.raises(RuleBroken) as refused:
        ask(sender, recipient, 101)
    assert refused.value.details == {"limit": 100}
    with clock.travel(days=2):
        with pytest.raises(RuleBroken) as refused:
            ask(sender, recipient, 700)
        assert (refused.value.code, refused.value.details) == ("TRANSFER_YEARLY_LIMIT", {"limit": 600})
        confirm(ask(sender, recipient, 600))
    with clock.travel(days=366):
        assert ask(sender, recipient, 800).points == 800


def test_who_cannot_receive_or_pay_is_refused(owner: psycopg.Connection) -> None:
    sender = make_customer(points=150)
    before = footprint(owner)
    for email in ("nobody", "", get_customer(sender).email, f" {get_customer(sender).email.upper()}"):
        with pytest.raises(RuleBroken) as refused:
            ask(sender, email, 100)
        assert refused.value.errors[0].field == "email"
    recipient = make_customer()
    with pytest.raises(BelowZero):
        ask(sender, recipient, 151)
    assert footprint(owner) == before
    waiting = ask(sender, recipient, 120)
    with transaction():
        hold(sender, 100)
    before = footprint(owner)
    with pytest.raises(BelowZero):
        confirm(waiting)
    assert footprint(owner) == before


def test_asking_does_not_tell_who_is_a_member(owner: psycopg.Connection) -> None:
    member, staff = make_customer(), make_customer(role="support")
    emails = [get_customer(member).email, get_customer(staff).email, "nobody@example.test"]
    senders = [make_customer(points=500) for _ in emails]
    asked = [ask(sender, email, 100) for sender, email in zip(senders, emails, strict=True)]
    assert {(one.state, one.points, one.resolved_at) for one in asked} == {
        ("awaiting_confirmation", 100, None)
    }
    for one in asked:
        topics = owner.execute(
            "SELECT topic FROM outbox WHERE payload ->> 'transfer_id' = %s", (str(one.id),)
        ).fetchall()
        assert topics == [("mail.transfer_confirm",)]
    owner.execute("UPDATE customer SET role = 'support' WHERE id = %s", (member,))
    before = footprint(owner)
    for one in asked:
        with pytest.raises(Conflict) as refused:
            confirm(one)
        assert refused.value.code == "RECIPIENT_CLOSED"
    assert footprint(owner) == before
    owner.execute("UPDATE customer SET role = 'customer' WHERE id = %s", (member,))
    assert confirm(asked[0]).state == "done"


def test_who_joins_later_receives_nothing_that_was_meant_for_their_address(owner: psycopg.Connection) -> None:
    sender, email = make_customer(points=500), f"{uuid.uuid4().hex}@example.test"
    waiting = ask(sender, email, 100)
    owner.execute("UPDATE customer SET email = %s WHERE id = %s", (email, make_customer()))
    with pytest.raises(Conflict):
        confirm(waiting)
    assert queries.get_balance(sender).available == 500


def test_one_at_a_time_and_too_old_is_over(owner: psycopg.Connection) -> None:
    sender, recipient = make_customer(points=500), make_customer()
    first = ask(sender, recipient, 100)
    before = footprint(owner)
    with pytest.raises(TransferPending):
        ask(sender, recipient, 200)
    assert footprint(owner) == before
    with transaction():
        assert transfers.cancel(transfer_id=first.id, actor=actor_of(sender)).state == "cancelled"
    second = ask(sender, recipient, 200)
    with clock.travel(hours=1, seconds=1):
        with pytest.raises(Conflict) as late:
            confirm(second)
        assert late.value.code == "TRANSFER_EXPIRED"
        third = ask(sender, recipient, 300)
        assert get_transfer(second.id).state == "expired"
    with clock.travel(hours=3), transaction():
        assert transfers.expire_unconfirmed(actor=system("transfers")) >= 1
    assert get_transfer(third.id).state == "expired"
    assert queries.get_balance(sender).available == 500
