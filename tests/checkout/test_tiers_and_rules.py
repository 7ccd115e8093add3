"""When what a tier takes changes, everybody's tier follows: upwards at once, downwards after grace."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session
from app.outbox.models import OutboxRow
from app.rewards.queries import get_tier_status, list_movable, rules_in_force
from jobs.handlers import earnings
from jobs.registry import RunningJob, handlers
from tests.checkout.conftest import Shopper
from tests.checkout.versions import bought, publish

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")


def levels(silver: int, gold: int) -> dict[str, Any]:
    member = {"code": "member", "name": "Member", "points": 0}
    higher = [
        {"code": "silver", "name": "Silver", "points": silver, "earn_percent": 125},
        {"code": "gold", "name": "Gold", "points": gold, "earn_percent": 150},
    ]
    return {"tiers": {"levels": [member, *higher]}}


def earned_15_030(gateway: SandboxGateway) -> uuid.UUID:
    """A member who has just been confirmed as many points; the test is 31 days later."""
    shopper = Shopper(gateway, price=1_500_000)
    bought(shopper)
    with clock.travel(days=31):
        earnings.confirm_due()
    return shopper.id


def code_of(customer_id: uuid.UUID) -> str:
    session().rollback()
    return get_tier_status(customer_id).code


def job_of(version: int, **payload: Any) -> RunningJob:
    """The job that publishing this version wrote."""
    key = f"rewards.rules_changed:{version}"
    session().rollback()
    row = session().scalars(select(OutboxRow).where(OutboxRow.dedupe_key == key)).one()
    session().rollback()
    return RunningJob(row.id, row.topic, row.dedupe_key, {**row.payload, **payload}, "-", 0)


def test_a_member_rises_when_the_threshold_is_lowered(gateway: SandboxGateway) -> None:
    publish({})
    customer_id = earned_15_030(gateway)
    with clock.travel(days=32):
        version = publish(levels(10_000, 60_000)).version
        assert code_of(customer_id) == "member"
        job = job_of(version)
        handlers()[job.topic](job)
        assert code_of(customer_id) == "silver"
        version = publish(levels(5_000, 15_000)).version
        handlers()[job.topic](job_of(version))
        assert code_of(customer_id) == "gold"


def test_every_night_finds_whoever_was_missed(gateway: SandboxGateway) -> None:
    publish({})
    customer_id = earned_15_030(gateway)
    with clock.travel(days=32):
        publish(levels(15_031, 60_000))
        earnings.reassess_tiers()
        assert code_of(customer_id) == "member"
        publish(levels(15_030, 60_000))
        earnings.reassess_tiers()
        assert code_of(customer_id) == "silver"
    with clock.travel(days=31 + 366):
        assert customer_id in list_movable(rules=rules_in_force().tiers, limit=10_000), (
            "who is above may fall"
        )


def test_a_version_of_the_future_looks_when_it_starts(gateway: SandboxGateway) -> None:
    start = clock.now() + timedelta(days=2_000)
    version = publish(levels(10_000, 60_000), effective_from=start).version
    key = f"rewards.rules_changed:{version}"
    assert session().scalar(select(OutboxRow.run_at).where(OutboxRow.dedupe_key == key)) == start


def test_a_long_look_goes_on_in_another_job(gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    publish({})
    first, second = sorted(earned_15_030(gateway) for _ in range(2))
    monkeypatch.setattr(earnings, "BATCH", 1)
    monkeypatch.setattr(earnings, "BUDGET_SECONDS", 0.0)
    with clock.travel(days=32):
        version = publish(levels(10_000, 60_000)).version
        before_first = str(uuid.UUID(int=first.int - 1))
        handlers()["rewards.rules_changed"](job_of(version, after=before_first))
        assert (code_of(first), code_of(second)) == ("silver", "member")
        key = f"rewards.rules_changed:{version}:{first}"
        payload = session().scalar(select(OutboxRow.payload).where(OutboxRow.dedupe_key == key))
        assert payload == {"version": version, "after": str(first)}
        handlers()["rewards.rules_changed"](job_of(version, after=payload["after"]))
        assert code_of(second) == "silver"
