"""What is old and over is thrown away in batches; what is young, open or unread stays."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, update

from app.checkout import cleaning
from app.checkout.models import QuoteRow
from app.gateways.sandbox import SandboxGateway
from app.idempotency.models import IdempotencyKey
from app.kernel import clock, ids
from app.kernel.database import run_atomically, session, transaction
from app.orders.models import Order
from app.outbox.models import EffectDone
from jobs.handlers import cleaning as handler
from jobs.registry import tasks
from tests.checkout.conftest import Shopper
from tests.factories.people import make_customer

pytestmark = pytest.mark.usefixtures("app_context")


def put(owner: psycopg.Connection, table: str, **columns: Any) -> None:
    names = ", ".join(columns)
    marks = ", ".join(["%s"] * len(columns))
    owner.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values()))


def ago(**delta: float) -> datetime:
    return clock.now() - timedelta(**delta)


def keys_left(shopper: Shopper) -> int:
    session().rollback()
    return len(session().scalars(select(IdempotencyKey.key).filter_by(customer_id=shopper.id)).all())


def delete(verb: Any) -> int:
    return int(run_atomically(verb))


@pytest.mark.parametrize(
    ("token", "hours", "left"),
    [
        ("pm_card_visa", 71, 1),
        ("pm_card_visa", 73, 0),
        ("pm_card_chargeDeclined", 73, 0),
        ("pm_sandbox_processing", 73, 1),
    ],
)
def test_keys_live_three_days_and_until_the_payment_has_ended(
    gateway: SandboxGateway, token: str, hours: int, left: int
) -> None:
    shopper = Shopper(gateway)
    shopper.place(shopper.quote(), token)
    with clock.travel(hours=hours):
        delete(cleaning.delete_keys)
    assert keys_left(shopper) == left


def test_the_same_key_after_that_makes_no_second_order(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway)
    agreed, key = shopper.quote(), uuid.uuid4().hex
    shopper.place(agreed, key=key)
    with clock.travel(hours=73):
        delete(cleaning.delete_keys)
        with pytest.raises(Exception):  # noqa: B017, PT011
            shopper.place(agreed, key=key)
    session().rollback()
    assert len(session().scalars(select(Order.id).filter_by(customer_id=shopper.id)).all()) == 1


def test_quotes_live_a_day_longer_than_they_hold(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway)
    quote = shopper.quote()
    with transaction():
        session().execute(update(QuoteRow).where(QuoteRow.id == quote.id).values(expires_at=ago(hours=23)))
    delete(cleaning.delete_quotes)
    session().rollback()
    assert session().get(QuoteRow, quote.id, populate_existing=True) is not None
    with clock.travel(hours=2):
        delete(cleaning.delete_quotes)
    session().rollback()
    assert session().get(QuoteRow, quote.id, populate_existing=True) is None


@pytest.mark.parametrize(
    ("state", "days", "stays"),
    [("processed", 34, True), ("processed", 36, False), ("ignored", 36, False), ("received", 90, True),
     ("dead", 90, True)],
)  # fmt: skip
def test_callbacks_are_kept_longer_than_gateways_repeat_them(
    owner: psycopg.Connection, state: str, days: int, stays: bool
) -> None:
    event = f"evt_{uuid.uuid4()}"
    put(owner, "webhook_inbox", gateway="sandbox", event_id=event, type="t", raw=b"{}", state="received",
        received_at=ago(days=days))  # fmt: skip
    owner.execute("UPDATE webhook_inbox SET state = %s WHERE event_id = %s", (state, event))
    delete(cleaning.delete_webhooks)
    found = owner.execute("SELECT 1 FROM webhook_inbox WHERE event_id = %s", (event,)).fetchone()
    assert (found is not None) == stays


@pytest.mark.parametrize(
    ("key", "days", "stays"), [("x", 89, True), ("x", 91, False), ("demo.seed", 91, True)]
)
def test_effects_are_remembered_longer_than_jobs(
    owner: psycopg.Connection, key: str, days: int, stays: bool
) -> None:
    key = f"{key}:{uuid.uuid4()}" if key == "x" else f"{key}.{uuid.uuid4()}"
    put(owner, "effect_done", dedupe_key=key, done_at=ago(days=days))
    delete(cleaning.delete_effects)
    session().rollback()
    assert (session().get(EffectDone, key) is not None) == stays


@pytest.mark.parametrize(("days", "stays"), [(29, True), (31, False)])
def test_tokens_go_a_month_after_they_can_be_refreshed(
    owner: psycopg.Connection, days: int, stays: bool
) -> None:
    token_id = ids.uuid7()
    put(owner, "api_token", id=token_id, family_id=token_id, customer_id=make_customer(), session_epoch=0,
        access_hash=token_id.bytes * 2, refresh_hash=token_id.bytes * 2, created_at=ago(days=100),
        access_expires_at=ago(days=99), refresh_expires_at=ago(days=days))  # fmt: skip
    delete(cleaning.delete_tokens)
    found = owner.execute("SELECT 1 FROM api_token WHERE id = %s", (token_id,)).fetchone()
    assert (found is not None) == stays


def test_batch_by_batch_until_nothing_is_left(
    owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "BATCH", 10)
    owner.execute("DELETE FROM effect_done")
    for _ in range(25):
        put(owner, "effect_done", dedupe_key=f"many:{uuid.uuid4()}", done_at=ago(days=100))
    batches = []

    def watched(*, limit: int) -> int:
        batches.append(cleaning.delete_effects(limit=limit))
        return batches[-1]

    assert handler.clean(watched) == "25 rows deleted"
    assert batches == [10, 10, 5]
    assert handler.clean(cleaning.delete_effects) == "0 rows deleted"


def test_rows_that_somebody_holds_are_passed_by(owner: psycopg.Connection, app: Flask) -> None:
    owner.execute("DELETE FROM effect_done")
    for key in ("held", "free"):
        put(owner, "effect_done", dedupe_key=key, done_at=ago(days=100))
    with owner.transaction():
        owner.execute("SELECT 1 FROM effect_done WHERE dedupe_key = 'held' FOR UPDATE")
        assert delete(cleaning.delete_effects) == 1
    assert delete(cleaning.delete_effects) == 1


def test_each_is_a_task_of_the_schedule() -> None:
    names = {task.name for task in tasks()}
    assert {f"clean.{name}" for name in cleaning.CLEANERS} | {"jobs.watch"} <= names
