"""What answers make of a payment does not depend on their order, their number, or who brings them."""

from __future__ import annotations

import ast
import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.payments import rules, states
from app.payments.gateway import Absent, RefundRefused, RefundSnapshot, Snapshot, Unknown
from app.payments.refund_rules import RefundFacts, decide_refund
from app.payments.rules import Decision, PaymentFacts, decide

NOW = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
KEY = "0192d1f0-0000-7000-8000-000000000001"
FACTS = PaymentFacts(
    key=KEY,
    reference="MPC-1",
    amount=5_000,
    currency="HKD",
    state="submitting",
    captured=0,
    refunded=0,
    checks=0,
    created_at=NOW,
)
SNAPSHOT = Snapshot(
    key=KEY, gateway_ref="pay_1", status="processing", amount=5_000, currency="HKD", reference="MPC-1",
    card_brand="visa", card_last4="4242",
)  # fmt: skip
ABOUT = {
    "processing": {},
    "requires_action": {"next_action_url": "http://gateway/3ds/1"},
    "authorized": {},
    "captured": {"captured": 5_000},
    "declined": {"decline_code": "card_declined"},
    "canceled": {},
}
# What a payment may live through at the gateway (docs/sandbox-gateway.md), up to an end.
HISTORIES = [
    ["captured"],
    ["declined"],
    ["processing", "captured"],
    ["processing", "declined"],
    ["processing", "canceled"],
    ["processing", "authorized", "captured"],
    ["requires_action", "captured"],
    ["requires_action", "declined"],
    ["requires_action", "canceled"],
    ["requires_action", "authorized", "canceled"],
    ["declined", "captured"],
    ["requires_action", "declined", "captured"],
    ["processing", "canceled", "captured"],
    ["processing", "requires_action", "authorized", "captured"],
]
COLUMNS = {field.name for field in fields(PaymentFacts)}


def snapshot(status: str, **changes: Any) -> Snapshot:
    return replace(SNAPSHOT, status=status, **(ABOUT[status] | changes))  # type: ignore[arg-type]


def after(facts: PaymentFacts, decision: Decision) -> PaymentFacts:
    """The facts as they are once the decision is stored; a state move must be in the table."""
    if decision.state != facts.state:
        states.PAYMENT.check(facts.state, decision.state)
    known = {name: value for name, value in decision.changes.items() if name in COLUMNS}
    return replace(facts, state=decision.state, **known)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[str, list[Snapshot | Absent | Unknown]]:
    """A history's answers, each one to three times, shuffled, with silence in between."""
    history = draw(st.sampled_from(HISTORIES))
    answers: list[Snapshot | Absent | Unknown] = []
    for status in history:
        answers += [snapshot(status)] * draw(st.integers(1, 3))
    answers += draw(st.lists(st.sampled_from([Unknown("no answer"), Absent()]), max_size=3))
    return history[-1], draw(st.permutations(answers))


@settings(max_examples=400, deadline=None)
@given(deliveries())
@example(("captured", [snapshot("captured"), snapshot("declined"), Unknown("x"), snapshot("processing")]))
@example(("declined", [snapshot("declined"), snapshot("requires_action")]))
def test_any_order_of_answers_ends_the_same(given_: tuple[str, list[Snapshot | Absent | Unknown]]) -> None:
    final, answers = given_
    facts = FACTS
    for answer in answers:
        facts = after(facts, decide(facts, answer, NOW))
    expected = {
        "state": final,
        "captured": 5_000 if final == "captured" else 0,
        "gateway_ref": "pay_1",
        "next_action_url": None,
        "decline_code": "card_declined" if final == "declined" else None,
        "card_last4": "4242",
    }
    assert {name: getattr(facts, name) for name in expected} == expected


@settings(max_examples=100, deadline=None)
@given(deliveries())
def test_the_same_answer_twice_is_once(given_: tuple[str, list[Snapshot | Absent | Unknown]]) -> None:
    facts = FACTS
    for answer in given_[1]:
        facts = after(facts, decide(facts, answer, NOW))
        again = decide(facts, answer, NOW)
        assert again.state == facts.state


@pytest.mark.parametrize("state", sorted(states.OPEN))
def test_silence_is_never_an_end(state: str) -> None:
    facts = replace(FACTS, state=state)
    for answer in (Unknown("HTTP 500"), Absent()):
        decision = decide(facts, answer, NOW)
        assert decision.state in states.OPEN
        assert decision.changes["next_check_at"] > NOW
        assert decision.issue is None


@pytest.mark.parametrize("state", ["captured", "declined", "canceled"])
def test_silence_does_not_touch_what_has_ended(state: str) -> None:
    facts = replace(FACTS, state=state, gateway_ref="pay_1", captured=5_000 if state == "captured" else 0)
    assert decide(facts, Unknown("HTTP 500"), NOW) == Decision(state)
    missing = decide(facts, Absent(), NOW)
    assert (missing.state, missing.changes) == (state, {})
    assert missing.issue is not None
    assert missing.issue.kind == "missing_at_gateway"


@pytest.mark.parametrize("status", ["captured", "authorized", "requires_action"])
@pytest.mark.parametrize(
    "wrong",
    [{"amount": 5_001}, {"currency": "USD"}, {"reference": "MPC-2"}, {"key": "0192d1f0-0000-7000-8000-0"}],
)
@pytest.mark.parametrize("state", ["submitting", "unknown", "requires_action", "declined"])
def test_other_money_is_never_taken_for_ours(status: str, wrong: dict[str, Any], state: str) -> None:
    facts = replace(FACTS, state=state, next_action_url="http://gateway/3ds/1")
    decision = decide(facts, snapshot(status, **wrong), NOW)
    assert decision.state == ("declined" if state == "declined" else "unknown")
    assert "captured" not in decision.changes
    assert decision.issue is not None
    assert decision.issue.kind == "payment_mismatch"
    if state != "declined" and state != "unknown":
        assert decision.changes["next_action_url"] is None


def test_a_part_capture_and_another_reference_are_a_mismatch() -> None:
    part = decide(FACTS, snapshot("captured", captured=4_999), NOW)
    assert (part.state, part.issue and part.issue.kind) == ("unknown", "payment_mismatch")
    assert part.issue is not None
    assert part.issue.detail["reason"] == "mismatch: captured is HK$49.99, ours is HK$50.00"
    known = replace(FACTS, state="unknown", gateway_ref="pay_1")
    other = decide(known, snapshot("captured", gateway_ref="pay_2"), NOW)
    assert (other.state, other.issue and other.issue.kind) == ("unknown", "payment_mismatch")


def test_the_adapters_own_mismatch_is_an_issue_too() -> None:
    decision = decide(FACTS, Unknown("mismatch: amount differs"), NOW)
    assert (decision.state, decision.issue and decision.issue.kind) == ("unknown", "payment_mismatch")


def test_a_tombstone_needs_no_amount() -> None:
    tombstone = snapshot("canceled", amount=0, currency="", reference="")
    assert decide(FACTS, tombstone, NOW).state == "canceled"


def test_late_money_is_marked_as_late_and_only_then() -> None:
    assert decide(replace(FACTS, state="declined"), snapshot("captured"), NOW).changes["late"] is True
    assert "late" not in decide(replace(FACTS, state="unknown"), snapshot("captured"), NOW).changes


def test_money_sent_back_by_somebody_else_is_an_issue() -> None:
    facts = replace(FACTS, state="captured", captured=5_000, refunded=1_000, gateway_ref="pay_1")
    assert decide(facts, snapshot("captured", refunded=1_000), NOW).issue is None
    issue = decide(facts, snapshot("captured", refunded=1_001), NOW).issue
    assert issue is not None
    assert (issue.kind, issue.detail["gateway_refunded"]) == ("refund_differs", 1_001)


def test_what_was_said_against_a_payment_is_taken_back_by_an_answer_that_fits_to_the_cent() -> None:
    facts = replace(FACTS, state="captured", captured=5_000, refunded=1_000, gateway_ref="pay_1")
    even, on_its_way = snapshot("captured", refunded=1_000), snapshot("captured", refunded=0)
    assert decide(facts, even, NOW).settles == rules.ACCUSING
    assert decide(facts, on_its_way, NOW).settles == rules.ACCUSING - {rules.REFUND_DIFFERS}
    assert decide(facts, snapshot("authorized"), NOW).settles == frozenset(), "an old word"
    assert decide(facts, snapshot("captured", captured=4_999), NOW).settles == frozenset()
    assert decide(facts, Unknown("no answer"), NOW).settles == frozenset()
    ended = replace(FACTS, state="declined", gateway_ref="pay_1")
    assert decide(ended, snapshot("declined"), NOW).settles == {rules.MISSING}
    gone = decide(ended, snapshot("captured", refunded=5_000), NOW)
    assert (gone.state, gone.is_given_back, gone.settles) == ("declined", True, rules.ACCUSING)


def test_waits_get_longer_when_the_gateway_answers_and_stay_short_while_it_is_silent() -> None:
    facts, minutes, when = FACTS, [], NOW
    for _ in range(4):
        decision = decide(facts, snapshot("processing"), when)
        minutes.append((decision.changes["next_check_at"] - when).total_seconds() / 60)
        when = decision.changes["next_check_at"]
        facts = after(facts, decision)
    assert minutes == [1, 2, 5, 10]
    giving_up = decide(facts, snapshot("processing"), when)
    assert giving_up.changes["next_check_at"] == NOW + rules.GIVE_UP_AFTER
    for _ in range(5):
        facts = after(facts, decide(facts, Unknown("no answer"), when))
    silent = decide(facts, Unknown("no answer"), when)
    assert silent.changes["next_check_at"] == when + timedelta(minutes=1)


REFUND = RefundFacts(key="r1", amount=300, currency="HKD", payment_ref="pay_1", state="queued", checks=0)
BACK = RefundSnapshot(
    key="r1", gateway_ref="re_1", status="succeeded", amount=300, currency="HKD", payment_ref="pay_1"
)


@pytest.mark.parametrize(
    ("state", "truth", "expected"),
    [
        ("queued", BACK, "succeeded"),
        ("queued", replace(BACK, status="pending"), "unknown"),
        ("queued", replace(BACK, status="failed"), "failed"),
        ("queued", Unknown("HTTP 500"), "unknown"),
        ("queued", Absent(), "queued"),
        ("queued", RefundRefused("refund_exceeds_captured"), "failed"),
        ("unknown", BACK, "succeeded"),
        ("unknown", Absent(), "unknown"),
        ("failed", BACK, "succeeded"),
        ("failed", Unknown("HTTP 500"), "failed"),
        ("succeeded", replace(BACK, status="failed"), "failed"),
        ("succeeded", RefundRefused("refund_exceeds_captured"), "succeeded"),
        ("succeeded", Unknown("HTTP 500"), "succeeded"),
        ("queued", replace(BACK, amount=301), "unknown"),
        ("queued", replace(BACK, payment_ref="pay_2"), "unknown"),
        ("queued", replace(BACK, currency="USD"), "unknown"),
    ],
)
def test_what_becomes_of_a_card_refund(state: str, truth: Any, expected: str) -> None:
    decision = decide_refund(replace(REFUND, state=state), truth, NOW)
    assert decision.state == expected
    about_another = isinstance(truth, RefundSnapshot) and replace(truth, status="succeeded") != BACK
    assert (decision.issue is not None) == about_another
    if expected in states.REFUND_OPEN:
        assert decision.changes["next_check_at"] > NOW


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ("payment", states.PAYMENT),
        ("card_refund", states.CARD_REFUND),
        ("webhook_inbox", states.WEBHOOK),
        ("reconciliation_issue", states.ISSUE),
    ],
)
def test_the_database_has_the_same_state_tables(
    owner: psycopg.Connection, table: str, rule: states.StateTable
) -> None:
    found = owner.execute(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = 'only_edges'",
        (table,),
    ).fetchone()
    assert found is not None
    arguments = re.search(r"only_edges\((.*)\)$", found[0])
    assert arguments is not None
    column, starts, edges = ast.literal_eval(f"({arguments[1]})")
    assert column == "state"
    assert (set(starts.split()), sorted(edges.split())) == (set(rule.starts), rule.edge_list())
