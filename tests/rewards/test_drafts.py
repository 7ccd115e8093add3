"""What makes a version of the rules unfit to be published. Versions are never edited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.kernel.errors import RuleBroken
from app.rewards.rules import check_draft

RULE = {"name": "x", "kind": "rate", "points": 1}
BONUS = {"name": "b", "action": "sign_up", "points": 10}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"minor_units_per_100_points": 0}, "minor_units_per_100_points"),
        ({"earn": {"points_per_100_minor_units": -1}}, "earn.points_per_100_minor_units"),
        ({"earn": {"point_per_100_minor_units": 2}}, "earn.point_per_100_minor_units"),
        ({"earn": {"rules": [{"name": "x", "kind": "gift"}]}}, "earn.rules[0].kind"),
        ({"earn": {"rules": [{"name": "x", "kind": "rate", "pionts": 1}]}}, "earn.rules[0].pionts"),
        ({"earn": {"rules": [{"name": "x", "kind": "rate"}] * 2}}, "earn.rules"),
        (
            {
                "earn": {
                    "rules": [
                        {
                            "name": "x",
                            "kind": "rate",
                            "starts_at": "2026-02-01T00:00:00Z",
                            "ends_at": "2026-01-01T00:00:00Z",
                        }
                    ]
                }
            },
            "earn: x",
        ),
        ({"earn": {"rules": [{"name": "x", "kind": "rate", "starts_at": "2026-02-01"}]}}, None),
        ({"tiers": {"levels": []}}, "tiers.levels"),
        ({"tiers": {"levels": [{"code": "a", "name": "A", "points": 5}]}}, "tiers.levels"),
        (
            {
                "tiers": {
                    "levels": [
                        {"code": "guest", "name": "Guest", "points": 0},
                        {"code": "member", "name": "Member", "points": 1_000},
                    ]
                }
            },
            "tiers.levels",
        ),
        ({"max_share_percent": 101}, "max_share_percent"),
    ],
)
def test_a_draft_that_is_wrong_is_refused_by_name(body: dict[str, Any], field: str | None) -> None:
    with pytest.raises(RuleBroken) as refused:
        check_draft(body)
    assert refused.value.code == "RULES_INVALID"
    if field is not None:
        assert [error.field for error in refused.value.errors] == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"earn": {"return_window_days": 3_000_000}}, "earn.return_window_days"),
        ({"earn": {"lot_days": 10**7}}, "earn.lot_days"),
        ({"earn": {"lot_days": 0}}, "earn.lot_days"),
        ({"earn": {"days_after_delivery": 10**9}}, "earn.days_after_delivery"),
        ({"earn": {"points_per_100_minor_units": 10**12}}, "earn.points_per_100_minor_units"),
        ({"minor_units_per_100_points": 10**12}, "minor_units_per_100_points"),
        ({"quote_ttl_seconds": 10**12}, "quote_ttl_seconds"),
        ({"hold_ttl_seconds": 10**12}, "hold_ttl_seconds"),
        ({"release_grace_days": 13}, "release_grace_days"),
        ({"tiers": {"window_days": 10**9}}, "tiers.window_days"),
        ({"tiers": {"grace_days": 10**9}}, "tiers.grace_days"),
        ({"transfers": {"min_points": -5}}, "transfers.min_points"),
        ({"transfers": {"cool_off_hours": -5}}, "transfers.cool_off_hours"),
        ({"transfers": {"cool_off_hours": 10**9}}, "transfers.cool_off_hours"),
        ({"transfers": {"confirm_within_minutes": 10**12}}, "transfers.confirm_within_minutes"),
        ({"transfers": {"min_points": 30_000}}, "transfers.min_points"),
        ({"expiry": {"activity_extends_days": -10}}, "expiry.activity_extends_days"),
        ({"expiry": {"activity_extends_days": 10**9}}, "expiry.activity_extends_days"),
        ({"expiry": {"remind_days": [-3]}}, "expiry.remind_days[0]"),
        ({"adjustments": {"limits": {"support": {"each": -1, "day": 5}}}}, None),
        ({"adjustments": {"limits": {"suport": {"each": 1, "day": 5}}}}, "adjustments.limits"),
        ({"adjustments": {"reasons": {}}}, "adjustments.reasons"),
        ({"min_points": 300_000}, "max_points_per_order"),
        ({"spend": {"max_points_per_day": 400}}, "spend.max_points_per_day"),
        ({"min_points": 1, "step": 1, "minor_units_per_100_points": 10}, "min_points"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "HK"}, "currency"),
        ({"currency": "USD"}, "currency"),
        ({"unit_name": ""}, "unit_name"),
        ({"unit_name": "mi\u0000les"}, "unit_name"),
        ({"unit_name": "\ud800"}, "unit_name"),
        ({"adjustments": {"reasons": {"goodwill": "\ud800"}}}, "adjustments.reasons.goodwill"),
        ({"\ud800": 1}, "(a name)"),
        (RULE | {"name": "base"}, "earn.rules"),
        (RULE | {"name": "tier"}, "earn.rules"),
        (RULE | {"tiers": ["platinum"]}, "earn: x"),
        (RULE | {"starts_at": "9999-12-31T23:59:59-12:00"}, "earn: x"),
        (RULE | {"priority": 10**30}, "earn.rules[0].priority"),
        (RULE | {"points": 10**9 + 1}, "earn.rules[0].points"),
        (BONUS | {"tiers": ["platinum"]}, "earn: b"),
        (BONUS | {"min_basket": 1}, "earn: b"),
        (BONUS | {"products": ["mug"]}, "earn: b"),
        (BONUS | {"action": "review", "min_basket": 1}, "earn: b"),
    ],
)
def test_a_draft_that_would_stop_orders_or_do_nothing_is_refused(
    body: dict[str, Any], field: str | None
) -> None:
    """What the version would do to the first order after it: the card charged, and no way to book the order."""
    if "kind" in body:
        body = {"earn": {"rules": [body]}}
    elif "action" in body:
        body = {"earn": {"bonuses": [body]}}
    with pytest.raises(RuleBroken) as refused:
        check_draft(body, currency="HKD")
    assert refused.value.code == "RULES_INVALID"
    refused.value.message.encode()
    if field is not None:
        assert {error.field for error in refused.value.errors} == {field}


def test_rules_that_give_more_than_can_be_kept_are_refused() -> None:
    rules = [{"name": f"r{n}", "kind": "rate", "points": 10**9, "priority": n} for n in range(1_000)]
    with pytest.raises(RuleBroken) as refused:
        check_draft({"earn": {"rules": rules}})
    assert {error.field for error in refused.value.errors} == {"earn"}


def test_the_widest_rules_can_be_published() -> None:
    widest = {
        "earn": {"return_window_days": 36_500, "days_after_delivery": 36_500, "lot_days": 36_500},
        "tiers": {"window_days": 36_500, "grace_days": 36_500},
        "expiry": {"activity_extends_days": 36_500, "remind_days": [36_500]},
        "release_grace_days": 36_500,
        "minor_units_per_100_points": 1_000_000,
    }
    assert check_draft(widest, currency="HKD").earn.lot_days == 36_500


def test_however_deep_a_draft_is_it_is_answered() -> None:
    deep: Any = "mi\u0000les"
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(RuleBroken):
        check_draft({"unit_name": deep})


def test_the_rules_survive_being_stored() -> None:
    rules = check_draft(
        {
            "earn": {
                "bonuses": [
                    {"name": "hello", "action": "sign_up", "points": 300, "ends_at": "2027-01-01T00:00:00Z"}
                ]
            }
        }
    )
    assert check_draft(msgspec.to_builtins(rules)) == rules


def test_the_example_of_the_docs_can_be_published() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "rewards-rules.md").read_text()
    example = json.loads(page.split("```json")[1].split("```")[0])
    assert [rule.name for rule in check_draft(example).earn.rules] == ["tea-week", "case-bonus", "gold-trial"]
