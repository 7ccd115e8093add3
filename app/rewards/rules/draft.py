"""A version of the rules before it is published: read strictly, searched for contradictions, and tried out.

A version is never edited, and orders keep the one that priced them: what stops an order once would stop it for good.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.accounts.rules import ROLES, is_staff
from app.kernel.errors import FieldError, RuleBroken
from app.kernel.money import is_currency
from app.rewards.rules.programme import Rules
from app.rewards.rules.spending import fewest_points, value_of
from app.rewards.rules.trial import troubles_of

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
EVERYBODY = "member"  # the tier of an account that never rose, and of a visitor
OWN_NAMES = {"base", "tier"}  # how `EarnPart` calls what is no rule

Problem = tuple[str, str]


def check_draft(body: Mapping[str, Any], *, currency: str | None = None) -> Rules:
    """The rules in `body`. Raises RuleBroken `RULES_INVALID`, an error for each path that is wrong.

    `currency`: the one that the shop sells in, which the rules must name; None: any.
    """
    _refuse(_unreadable(body))
    try:
        rules = msgspec.convert(dict(body), Rules)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise _invalid([(path.strip("`. ") or "rules", message)]) from error
    _refuse((path, "There is no such rule.") for path in _unknown(body, msgspec.to_builtins(rules)))
    _refuse([*_contradictions(rules), *_money(rules, currency)])
    _refuse(troubles_of(rules))
    return rules


def _unreadable(body: Any) -> Iterator[Problem]:
    """Texts that PostgreSQL cannot store or no page can show; without recursion, however deep they lie."""
    rest: list[tuple[str, Any]] = [("", body)]
    while rest:
        path, value = rest.pop()
        if isinstance(value, Mapping):
            rest += [(f"{path}.{key}".strip("."), inner) for key, inner in value.items()]
            rest += [(f"{path} (a name)".strip(), key) for key in value]
        elif isinstance(value, list | tuple):
            rest += [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
        elif isinstance(value, str) and any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in value):
            yield ascii(path)[1:-1], "Control characters and half characters cannot be stored."


def _unknown(body: Any, known: Any, path: str = "") -> Iterator[str]:
    """Paths in `body` that reading it ignored: a misspelt rule must not be published as no rule."""
    if isinstance(body, Mapping) and isinstance(known, Mapping):
        for key, value in body.items():
            here = f"{path}.{key}".strip(".")
            if key in known:
                yield from _unknown(value, known[key], here)
            else:
                yield here
    elif isinstance(body, list | tuple) and isinstance(known, list | tuple):
        for index, (value, there) in enumerate(zip(body, known, strict=True)):
            yield from _unknown(value, there, f"{path}[{index}]")


def _contradictions(rules: Rules) -> Iterator[Problem]:
    yield from _names(rules)
    yield from _windows(rules)
    yield from _levels(rules)
    yield from _bonuses(rules)
    yield from _spending(rules)
    yield from _people(rules)


def _names(rules: Rules) -> Iterator[Problem]:
    for path, entries in (
        ("earn.rules", rules.earn.rules),
        ("earn.bonuses", rules.earn.bonuses),
        ("spend.limits", rules.spend.limits),
    ):
        names = [entry.name for entry in entries]
        if len(set(names)) < len(names):
            yield path, "Every rule needs a name of its own."
        for taken in sorted(OWN_NAMES.intersection(names)):
            yield path, f"No rule can be called {taken}: this is what breakdowns call something else."


def _windows(rules: Rules) -> Iterator[Problem]:
    codes = {level.code for level in rules.tiers.levels}
    for window in (*rules.earn.rules, *rules.earn.bonuses):
        path = f"earn: {window.name}"
        if window.starts_at and window.ends_at and window.starts_at >= window.ends_at:
            yield path, "It ends before it starts."
        if any(at is not None and not EARLIEST <= at < LATEST for at in (window.starts_at, window.ends_at)):
            yield path, f"Its times lie between the years {EARLIEST.year} and {LATEST.year}."
        for code in sorted(set(window.tiers) - codes):
            yield path, f"There is no tier {code} in tiers.levels."


def _levels(rules: Rules) -> Iterator[Problem]:
    levels = rules.tiers.levels
    thresholds = [level.points for level in levels]
    if not levels or thresholds[0] != 0 or thresholds != sorted(set(thresholds)):
        yield "tiers.levels", "Levels start at 0 points and rise."
    if len({level.code for level in levels}) < len(levels):
        yield "tiers.levels", "Every level needs a code of its own."
    if any(level.code == EVERYBODY for level in levels[1:]):
        yield (
            "tiers.levels",
            f"Only the lowest level can have the code {EVERYBODY}: it is what everybody begins with.",
        )


def _bonuses(rules: Rules) -> Iterator[Problem]:
    for bonus in rules.earn.bonuses:
        path = f"earn: {bonus.name}"
        if bonus.categories or bonus.brands or bonus.products:
            yield path, "A bonus is for what was done, not for certain products."
        if bonus.action != "first_order" and bonus.min_basket:
            yield (
                path,
                f"Nothing is bought with a {bonus.action.replace('_', '-')}: min_basket would never be reached.",
            )


def _spending(rules: Rules) -> Iterator[Problem]:
    fewest = fewest_points(rules)
    if value_of(-(-max(1, rules.min_points) // rules.step) * rules.step, rules) < 1:
        yield "min_points", "The fewest points that can be used would be worth nothing."
    # 0 is a programme whose points cannot be spent for now
    if 0 < rules.max_points_per_order < fewest:
        yield "max_points_per_order", f"It is less than the fewest points that can be used, {fewest:,}."
    if rules.spend.max_points_per_day is not None and rules.spend.max_points_per_day < fewest:
        yield "spend.max_points_per_day", f"It is less than the fewest points that can be used, {fewest:,}."


def _people(rules: Rules) -> Iterator[Problem]:
    if not rules.adjustments.reasons:
        yield "adjustments.reasons", "Name at least one reason."
    for role in sorted(set(rules.adjustments.limits) - {role for role in ROLES if is_staff(role)}):
        yield "adjustments.limits", f"There is no staff role {role}."
    transfers = rules.transfers
    if transfers.enabled and transfers.min_points > min(transfers.per_day, transfers.per_year):
        yield "transfers.min_points", "It is more than may be sent in a day or a year: nothing could be sent."


def _money(rules: Rules, currency: str | None) -> Iterator[Problem]:
    if not is_currency(rules.currency):
        yield "currency", "This is no currency of ISO 4217."
    elif currency is not None and rules.currency != currency:
        yield "currency", f"The shop sells in {currency}."


def _refuse(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise _invalid(found)


def _invalid(problems: Sequence[Problem]) -> RuleBroken:
    errors = tuple(FieldError(path, "RULES_INVALID", message) for path, message in problems)
    summary = "; ".join(f"{path}: {message}" for path, message in problems)
    return RuleBroken(f"These rules cannot be published: {summary}", code="RULES_INVALID", errors=errors)
