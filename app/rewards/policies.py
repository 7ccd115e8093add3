"""What the rules of a version say about staff, transfers and expiry. Computes, never fetches; amounts in points."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from app.kernel.errors import RuleBroken, invalid
from app.kernel.words import for_translation
from app.rewards.ranges import Hours, Label, Minutes, Name, Natural, SomeDays, SomePoints

MIN_NOTE = 5
MAX_NOTE = 1_000
MAX_ADJUSTMENT = 10_000_000
APPROVAL_DAYS = 7
LAST_EXPIRY = datetime(2101, 1, 1, tzinfo=UTC)


class MakerLimit(msgspec.Struct, frozen=True):
    """What one role may give or take alone: `each` time, and within any `day` of 24 hours."""

    each: Natural
    day: Natural


class AdjustmentRules(msgspec.Struct, frozen=True, kw_only=True):
    """Reason codes with the words that customers read, and limits per role. A role that is not listed has none."""

    reasons: Mapping[Name, Label] = msgspec.field(
        default_factory=lambda: {
            "goodwill": for_translation("Goodwill"),
            "correction": for_translation("Correction"),
            "campaign": for_translation("Campaign"),
            "compensation": for_translation("Compensation"),
            "fraud": for_translation("Misuse"),
        }
    )
    limits: Mapping[str, MakerLimit] = msgspec.field(
        default_factory=lambda: {
            "support": MakerLimit(each=5_000, day=20_000),
            "approver": MakerLimit(each=20_000, day=80_000),
            "admin": MakerLimit(each=50_000, day=200_000),
        }
    )


class TransferRules(msgspec.Struct, frozen=True, kw_only=True):
    """Transfers between members: limits for what one member sends, and the cool-off of what is received."""

    enabled: bool = True
    min_points: SomePoints = 500
    per_day: Natural = 20_000
    per_year: Natural = 100_000
    confirm_within_minutes: Minutes = 60
    cool_off_hours: Hours = 24


class ExpiryRules(msgspec.Struct, frozen=True, kw_only=True):
    """Reminders at these many days before. `activity_extends_days`: who earns or spends has all
    lots that have not expired live until that many days later at least; None: it extends nothing."""

    remind_days: tuple[SomeDays, ...] = (60, 30, 7)
    activity_extends_days: SomeDays | None = None


def check_adjustment(
    *,
    points: int,
    reason_code: str,
    note: str,
    expire_at: datetime | None,
    now: datetime,
    rules: AdjustmentRules,
) -> None:
    """RuleBroken `VALIDATION_FAILED`, naming the first field that is wrong."""
    if points == 0 or abs(points) > MAX_ADJUSTMENT:
        raise invalid(
            "points", "POINTS_INVALID", f"Add or subtract 1 to {MAX_ADJUSTMENT:,} points; 0 changes nothing."
        )
    if reason_code not in rules.reasons:
        raise invalid(
            "reason_code", "REASON_UNKNOWN", f"The reason must be one of: {', '.join(rules.reasons)}."
        )
    check_note(note)
    if expire_at is not None and points < 0:
        raise invalid("points_expire_at", "EXPIRY_INVALID", "Only points that are added can have an expiry.")
    if expire_at is not None and (expire_at.tzinfo is None or expire_at <= now):
        raise invalid("points_expire_at", "EXPIRY_INVALID", "The expiry must be a time in the future.")
    if expire_at is not None and expire_at > LAST_EXPIRY:
        raise invalid("points_expire_at", "EXPIRY_INVALID", "The expiry must be before the year 2101.")


def check_note(note: str) -> None:
    """RuleBroken naming `note`."""
    if not MIN_NOTE <= len(note.strip()) <= MAX_NOTE or "\x00" in note:
        raise invalid("note", "NOTE_INVALID", f"Write a note of {MIN_NOTE} to {MAX_NOTE:,} characters.")


def within_limit(*, points: int, given_today: int, role: str | None, rules: AdjustmentRules) -> bool:
    """Whether the maker may do it alone. `points` and `given_today` come without sign: both ways count."""
    limit = rules.limits.get(role or "")
    return limit is not None and points <= limit.each and given_today + points <= limit.day


def check_transfer(*, points: int, sent_today: int, sent_this_year: int, rules: TransferRules) -> None:
    """RuleBroken: `TRANSFERS_OFF`, `TRANSFER_BELOW_MIN`, `TRANSFER_DAILY_LIMIT`, `TRANSFER_YEARLY_LIMIT`."""
    if not rules.enabled:
        raise RuleBroken("Points cannot be transferred at present.", code="TRANSFERS_OFF")
    if points < rules.min_points:
        raise _limit(
            "TRANSFER_BELOW_MIN", f"Transfer at least {rules.min_points:,} points.", rules.min_points
        )
    for code, sent, most, period in (
        ("TRANSFER_DAILY_LIMIT", sent_today, rules.per_day, "in 24 hours"),
        ("TRANSFER_YEARLY_LIMIT", sent_this_year, rules.per_year, "in 365 days"),
    ):
        if sent + points > most:
            left = max(0, most - sent)
            raise _limit(code, f"At most {most:,} points can be sent {period}; {left:,} are left.", left)


def _limit(code: str, message: str, limit: int) -> RuleBroken:
    refused = invalid("points", code, message)
    return RuleBroken(message, code=code, errors=refused.errors, details={"limit": limit})


def lives_until(activity: datetime, rules: ExpiryRules) -> datetime | None:
    """Until when lots live at least after their owner's activity; None where it extends nothing."""
    if rules.activity_extends_days is None:
        return None
    return activity + timedelta(days=rules.activity_extends_days)
