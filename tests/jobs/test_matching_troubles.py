"""The match goes on past what it cannot settle: one dispute, row or check keeps nothing else from being seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from app.checkout import book_checks
from app.checkout.book_checks import Check
from app.gateways.matching import BROKEN, match
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session
from app.orders.queries import get_order_view
from app.payments import disputes, queries
from app.payments.bookkeeping import DisputeSnapshot
from app.payments.gateway import Absent, Unknown
from app.payments.models import Dispute
from tests.checkout.conftest import TIMEOUTS
from tests.jobs.mismatches import Paid, stock_differs
from tests.jobs.test_matching import ACTOR, alone, issues, mails_about, run
from tests.sandbox.peers import KEY, SECRET, Gateway

__all__ = ["alone"]
pytestmark = pytest.mark.usefixtures("app_context")


class Nonsense(SandboxGateway):
    """Says of these disputes what no database keeps, lists none when `is_quiet`, and says nothing when `is_silent`."""

    def __init__(self, url: str) -> None:
        super().__init__(url=url, key=KEY, webhook_secrets=[SECRET], timeouts=TIMEOUTS)
        self.about: set[str] = set()
        self.is_quiet = self.is_silent = False

    def list_disputes(self, since: datetime) -> tuple[DisputeSnapshot, ...] | Unknown:
        found = super().list_disputes(since)
        if isinstance(found, Unknown) or self.is_quiet:
            return found if isinstance(found, Unknown) else ()
        return tuple(sorted(map(self._told, found), key=lambda one: one.gateway_ref not in self.about))

    def fetch_dispute(self, gateway_ref: str) -> DisputeSnapshot | Absent | Unknown:
        if self.is_silent:
            return Unknown("away")
        found = super().fetch_dispute(gateway_ref)
        return self._told(found) if isinstance(found, DisputeSnapshot) else found

    def _told(self, one: DisputeSnapshot) -> DisputeSnapshot:
        return replace(one, amount=-1) if one.gateway_ref in self.about else one


@pytest.fixture
def nonsense(peer: Gateway) -> Nonsense:
    return Nonsense(peer.url)


def test_one_dispute_that_cannot_be_settled_stops_nothing_else(
    nonsense: Nonsense, gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection
) -> None:
    lost, other = Paid(gateway), Paid(gateway, "pm_sandbox_lost_webhook_paid")
    bad = peer.control(f"payments/{lost.ref}/dispute")["id"]
    good = peer.control(f"payments/{Paid(gateway).ref}/dispute")["id"]
    variant = stock_differs(gateway, peer, owner)
    nonsense.about = {bad}
    for _ in range(2):
        done = run(nonsense)
        assert (done.broken, done.complete, done.rows) == ([f"dispute:{bad}"], True, 4)
        assert session().get(Dispute, ("sandbox", bad)) is None
        assert disputes.get_dispute("sandbox", good).state == "open"
        assert get_order_view(other.number).status == "paid", "the report was asked for"
        assert set(issues()) == {
            ("dispute", good),
            (BROKEN, f"dispute:{bad}"),
            ("stock_reserved_differs", variant),
        }
        assert mails_about(BROKEN, f"dispute:{bad}") == 1
    assert "1 broken" in str(done)


def test_it_is_tried_again_until_it_can_be_settled_however_old_it_is(
    nonsense: Nonsense, gateway: SandboxGateway, peer: Gateway
) -> None:
    bad = peer.control(f"payments/{Paid(gateway).ref}/dispute")["id"]
    nonsense.about = {bad}
    run(nonsense)
    nonsense.is_quiet = True
    assert run(nonsense).broken == [f"dispute:{bad}"]
    nonsense.is_silent = True
    assert not run(nonsense).complete
    assert queries.get_issue(BROKEN, f"dispute:{bad}").state == "open", "silence is no success"
    nonsense.about, nonsense.is_silent = set(), False
    assert run(nonsense).broken == []
    assert queries.get_issue(BROKEN, f"dispute:{bad}").state == "auto_fixed"
    assert disputes.get_dispute("sandbox", bad).state == "open"


def test_one_check_that_fails_stops_no_other(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Check("pending_too_long", "-", "SELECT 1 / 0, '{}'::jsonb")
    monkeypatch.setattr(book_checks, "CHECKS", (broken, *book_checks.CHECKS[1:]))
    variant = stock_differs(gateway, peer, owner)
    assert run(gateway).broken == ["books:pending_too_long"]
    assert issues() == [(BROKEN, "books:pending_too_long"), ("stock_reserved_differs", variant)]
    monkeypatch.undo()
    assert run(gateway).broken == []
    assert issues() == [("stock_reserved_differs", variant)]


def test_a_database_that_is_away_ends_the_run(
    gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the dispute, the row or the check that were being looked at."""
    sql = "SELECT pg_terminate_backend(pg_backend_pid())::text, '{}'::jsonb"
    monkeypatch.setattr(book_checks, "CHECKS", (Check("pending_too_long", "-", sql),))
    with pytest.raises(OperationalError) as gone:
        match(gateway=gateway, day=clock.now().date(), actor=ACTOR)
    assert gone.value.connection_invalidated
    session().rollback()
    assert issues() == []
