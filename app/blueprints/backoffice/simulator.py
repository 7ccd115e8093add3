"""A draft of the rules: replayed over past orders first, published as the next version then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from flask import current_app, flash, make_response, redirect, request

from app.blueprints.backoffice.access import StaffPage, action, page
from app.blueprints.backoffice.acting import NOTHING_TRIED, Answer, Attempt, refused, typed
from app.blueprints.backoffice.adjusting import fresh_key
from app.blueprints.backoffice.cells import signed
from app.blueprints.common.actors import actor_from_request
from app.checkout import simulating
from app.checkout.simulating import Comparison, Simulation
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import run_atomically, session, transaction
from app.kernel.errors import Conflict, FieldError, RuleBroken, invalid
from app.kernel.money import display_amount
from app.orders import history
from app.outbox.service import first_time
from app.rewards.models import RewardsRules
from app.rewards.queries import rules_in_force
from app.rewards.queries.spending import DAY
from app.rewards.queries.versions import RulesByVersion, list_sign_ups
from app.rewards.rules import Rules, check_draft
from app.rewards.service import rules_versions

MOST_DAYS = 365
MOST_ORDERS = 20_000
FORM = "rules"
SUMS = (
    ("earned", "{points} earned", False),
    ("earn_cost", "worth when spent", True),
    ("redeemed", "{points} spent", False),
    ("redeemed_value", "worth", True),
)


@dataclass(frozen=True, slots=True)
class Preview:
    """`seen`: which draft was simulated. `tables`: [(title, orders, [(label, was, draft, difference)])]."""

    seen: str
    days: int
    result: Simulation
    is_cut: bool
    tables: Sequence[tuple[str, int, Sequence[tuple[str, str, str, str]]]]


class Simulator(StaffPage):
    permission = "rules.edit"

    @page()
    def index(self) -> str:
        return self._page()

    @action("/", permission="rules.edit")
    def send(self) -> Answer:
        """Simulates; publishes only what was simulated."""
        draft = typed("draft")
        try:
            body, rules = read_draft(draft)
            if request.form.get("step") != "publish":
                tried = Attempt(FORM, request.form.to_dict())
                return make_response(self._page(tried, simulated(draft, rules, read_days(typed("days")))))
            if typed("seen") != digest_of(draft):
                raise invalid(
                    "draft", "NOT_SIMULATED", "This draft was changed after it was simulated. Simulate it."
                )
            start = read_moment(typed("effective_from"))
            actor = actor_from_request()
            version = run_atomically(lambda: publish_once(typed("key"), body, start, typed("reason"), actor))
        except (RuleBroken, Conflict) as error:
            return refused(error, form=FORM, again=self._page)
        flash(f"Version {version} is published.", "success")
        return redirect(self.get_url("admin_rules.show", version=version), 303)

    def _page(self, tried: Attempt = NOTHING_TRIED, preview: Preview | None = None) -> str:
        in_force = rules_in_force().version
        page: str = self.render(
            "admin/simulator.html",
            in_force=in_force,
            body=body_of(in_force),
            preview=preview,
            seen=preview.seen if preview else tried.value(FORM, "seen"),
            key=tried.value(FORM, "key") or fresh_key(),
            tried=tried,
        )
        return page


def body_of(version: int) -> str:
    """The stored rules as a text to start from."""
    found = session().get(RewardsRules, version)
    return json.dumps(found.body if found else {}, indent=2, sort_keys=True, ensure_ascii=False)


def read_draft(text: str) -> tuple[dict[str, Any], Rules]:
    """Raises RuleBroken; every problem names `draft` and says where in it."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid("draft", "NOT_JSON", f"This is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise invalid("draft", "NOT_JSON", "The rules are one JSON object.")
    try:
        return body, check_draft(body, currency=current_app.config["CURRENCY"])
    except RuleBroken as error:
        errors = [FieldError("draft", one.code, f"{one.field}: {one.message}") for one in error.errors]
        raise RuleBroken(error.message, code=error.code, errors=tuple(errors)) from error


def read_days(text: str) -> int:
    """Raises RuleBroken naming `days`."""
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MOST_DAYS):
        raise invalid("days", "DAYS_INVALID", f"Give 1 to {MOST_DAYS} days.")
    return int(text)


def read_moment(text: str) -> datetime | None:
    """As a browser sends it, meant in UTC where it says nothing else; None where nothing was typed.

    Raises RuleBroken naming the field.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        message = "Give the start as 2027-01-31T00:00."
        raise invalid("effective_from", "NOT_A_MOMENT", message) from None


def digest_of(draft: str) -> str:
    return hashlib.sha256(draft.encode()).hexdigest()


def simulated(draft: str, rules: Rules, days: int) -> Preview:
    """Replays paid orders and sign-ups, the oldest first and no more than anybody would wait for; writes nothing."""
    since = clock.now() - timedelta(days=days)
    with transaction():
        result = simulating.simulate(
            islice(history.iterate_paid(since=since), MOST_ORDERS),
            draft=rules,
            versions=RulesByVersion(),
            day_before=history.iterate_paid(since=since - DAY, until=since),
            sign_ups=list_sign_ups(since=since, limit=MOST_ORDERS),
        )
    tables = [_table("All customers", result.total, rules.currency)]
    tables += [_table(f"Tier {tier}", one, rules.currency) for tier, one in sorted(result.by_tier.items())]
    return Preview(digest_of(draft), days, result, result.total.was.orders == MOST_ORDERS, tables)


def publish_once(key: str, body: dict[str, Any], start: datetime | None, reason: str, actor: Actor) -> int:
    """Raises what the service raises, and Conflict `ALREADY_DONE` for a form that was sent before."""
    if not first_time(f"page:rules:{actor.id}:{ids.fingerprint(key).hex()}"):
        raise Conflict("This form was sent already, and it was done once.", code="ALREADY_DONE")
    return rules_versions.publish(body=body, effective_from=start, reason=reason, actor=actor)


def _table(
    title: str, comparison: Comparison, currency: str
) -> tuple[str, int, Sequence[tuple[str, str, str, str]]]:
    was, draft = asdict(comparison.was), asdict(comparison.draft)
    return title, comparison.was.orders, list(_rows(was, draft, currency))


def _rows(was: dict[str, int], draft: dict[str, int], currency: str) -> Iterable[tuple[str, str, str, str]]:
    for name, label, is_money in SUMS:
        before, after = was[name], draft[name]
        if is_money:
            sign = "+" if after > before else ""
            shown = display_amount(before, currency), display_amount(after, currency)
            yield label, *shown, sign + display_amount(after - before, currency).replace("-", "−")
        else:
            yield label, f"{before:,}", f"{after:,}", signed(after - before)
