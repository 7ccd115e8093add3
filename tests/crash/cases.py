"""The matrix: where a process is killed, what the gateway holds to be true, and who comes next.

T5 of the test plan. A case says how its order must end; how it gets to its point is in `journeys`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

RETRY = "retry"
"""The client sends the same request again, with the same key, as soon as it may."""
WEBHOOK = "webhook"
"""The gateway's callbacks arrive, and nobody else comes."""
RECONCILE = "reconcile"
"""Callbacks are lost; reconciliation runs as usual."""
SILENCE = "silence"
"""Nothing happens for three quarters of an hour; then reconciliation runs."""
ACTORS = (RETRY, WEBHOOK, RECONCILE, SILENCE)

CHECKOUT = (
    "checkout.before_reserve_commit",
    "checkout.before_charge",
    "checkout.after_charge",
    "checkout.before_settle_commit",
    "checkout.after_settle",
)
CANCEL = (
    "cancel.before_wish_commit",
    "cancel.before_gateway",
    "cancel.after_gateway",
    "cancel.before_settle_commit",
    "cancel.after_settle",
)
CALLBACK = ("webhook.before_store_commit", "webhook.after_store")
JOBS = (
    "relay.before_enqueue",
    "relay.before_mark",
    "relay.after_mark",
    "job.after_begin",
    "job.before_done",
    "job.after_done",
)
RECONCILIATION = (
    "schedule.after_claim",
    "reconcile.before_fetch",
    "reconcile.before_cancel",
    "reconcile.before_settle",
    "reconcile.after_settle",
    "reconcile.before_cursor",
)
REFUND = ("refund.before_fetch", "refund.before_send", "refund.before_settle", "refund.after_settle")
MAIL = ("mail.before_send", "mail.before_mark")
EXPIRY = ("expire.before_commit", "expire.after_commit")

AGAIN = "again"
"""A scene: the first card was declined, and the shopper pays again."""
ALONE = "points"
"""A scene: the points pay for everything."""
STAFF = "staff"
"""A scene: staff refund what was paid."""

TOKENS = {
    "approved": "pm_card_visa",
    "declined": "pm_card_chargeDeclined",
    "timeout_paid": "pm_sandbox_timeout_paid",
    "timeout_declined": "pm_sandbox_timeout_declined",
    "never_charged": "pm_sandbox_timeout_before",
    "undecided": "pm_sandbox_processing",
    "challenge_paid": "pm_card_authenticationRequired",
    "challenge_declined": "pm_card_authenticationRequired",
    "late": "pm_card_chargeDeclined",
    "refunded": "pm_card_visa",
    "refund_pending": "pm_sandbox_refund_pending",
    "refund_fails": "pm_sandbox_refund_fails",
}
PAID = {"approved", "timeout_paid", "challenge_paid", "late", "enough"}
DECIDED_LATER = {"challenge_paid": "paid", "challenge_declined": "declined", "late": "late-authorize"}
"""What the bank does after the client has come again, if it comes: the shopper passes 3-D Secure or does not; or it
takes the money that it had declined."""
ANSWERED = ("approved", "declined", "enough")


@dataclass(frozen=True)
class Case:
    """`truth`: what the gateway answers, or decides while it does not answer."""

    point: str
    truth: str
    actor: str
    scene: str = ""

    def __str__(self) -> str:
        return "-".join(word for word in (self.point, self.scene, self.truth, self.actor) if word)

    @property
    def token(self) -> str | None:
        """Cancels meet a payment on which the bank decides only then."""
        return TOKENS["undecided"] if self.point in CANCEL else TOKENS.get(self.truth)

    @property
    def points(self) -> int:
        """What the shopper has at the beginning: enough for a part of the order, or for all of it."""
        return 10_000 if self.scene == ALONE else 1_000

    @property
    def ends(self) -> str | None:
        """The order's status when all is over; None: there is no order, and nothing was taken."""
        if self.point in EXPIRY:
            return None
        if self.point in REFUND:
            return "refunded" if self.scene == STAFF else "cancelled"
        if self.point in CANCEL and (self.point != CANCEL[0] or self.actor == RETRY):
            return "cancelled"
        if self.actor != RETRY and self.point == "checkout.before_reserve_commit":
            return None
        if self.actor != RETRY and self.point == "checkout.before_charge":
            return "payment_failed"
        return "paid" if self.truth in PAID else "payment_failed"

    @property
    def needs_nobody(self) -> bool:
        """Whether the next actor alone, with the jobs that follow, brings it to its end: it must not need
        reconciliation then. Callbacks tell all that the gateway knows; a client that comes again is answered by
        the gateway where that answers at all."""
        if self.actor == WEBHOOK:
            return self._is_told
        if self.actor != RETRY or self.point in RECONCILIATION:
            return False
        if self.point in CHECKOUT:
            return self.truth in ANSWERED
        if self.point in CALLBACK:
            return self.point == "webhook.after_store"
        return self.truth not in ("never_charged", "refund_pending")

    @property
    def _is_told(self) -> bool:
        """Whether the gateway holds an end of the payment that it can tell in a callback."""
        if self.point == CHECKOUT[0] or self.point in MAIL:
            return True
        if self.point in CANCEL and self.truth == "undecided":
            return CANCEL.index(self.point) > CANCEL.index("cancel.before_gateway")
        return self.point != "checkout.before_charge" and self.truth != "never_charged"

    @property
    def minutes(self) -> int:
        """After how long it must be over: five, unless the bank itself never decides (then we give up)."""
        return 35 if self.point == CANCEL[0] and self.truth == "undecided" else 5


def matrix() -> list[Case]:
    """Every point with every truth that can reach it, and every next actor."""
    rows = (
        (CHECKOUT, ("approved", "declined", "timeout_paid", "never_charged")),
        (CANCEL, ("approved", "declined", "undecided")),
        (CALLBACK, ("timeout_paid", "timeout_declined")),
        (JOBS, ("timeout_paid", "timeout_declined", "never_charged")),
        (RECONCILIATION, ("timeout_paid", "timeout_declined", "never_charged")),
        (REFUND, ("refunded", "refund_pending", "refund_fails")),
        (MAIL, ("approved", "declined")),
        (CHECKOUT, tuple(DECIDED_LATER)),
    )
    cases = [Case(*words) for points, truths in rows for words in product(points, truths, ACTORS)]
    scenes = (
        (CHECKOUT[1:], ("approved", "declined", "timeout_paid", "never_charged"), ACTORS, AGAIN),
        (CHECKOUT[:1], ("enough",), ACTORS, ALONE),
        (REFUND, ("refunded", "refund_pending"), ACTORS, STAFF),
        (EXPIRY, ("expired",), (SILENCE,), ""),
    )
    cases += [Case(*words) for *those, scene in scenes for words in product(*those, (scene,))]
    # Only what never arrived, or is unwanted, is cancelled by reconciliation.
    return [c for c in cases if c.point != "reconcile.before_cancel" or c.truth == "never_charged"]


def selection() -> list[Case]:
    """What every run of the tests takes: each point, truth and actor; the checkout's own points more often."""
    chosen = [
        case
        for case in matrix()
        if case.point in CHECKOUT[1:4]
        and case.truth in ("approved", "declined")
        and case.actor in (RETRY, RECONCILE)
        and not case.scene
    ]
    chosen += [
        Case("checkout.before_reserve_commit", "enough", RETRY, ALONE),
        Case("checkout.after_charge", "challenge_paid", WEBHOOK),
        Case("checkout.after_settle", "late", RECONCILE),
        Case("checkout.before_settle_commit", "approved", RETRY, AGAIN),
        Case("refund.before_send", "refunded", WEBHOOK, STAFF),
    ]
    rest: dict[str, list[Case]] = {}
    for case in matrix():
        if case not in chosen and not case.scene and case.truth not in DECIDED_LATER:
            rest.setdefault(case.point, []).append(case)
    # A stride through the others, so that truths and actors take turns.
    return chosen + [found[(5 * index) % len(found)] for index, found in enumerate(rest.values())]
