"""From a message's templates to the three texts of a mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment

MESSAGES = (
    "welcome",
    "order_received",
    "order_paid",
    "order_pending",
    "payment_failed",
    "order_cancelled",
    "order_refunded",
    "refund_elsewhere",
    "order_revived",
    "order_shipped",
    "points_adjusted",
    "points_expiring",
    "transfer_confirm",
    "transfer_received",
    "staff_alert",
)
FOR_STAFF = ("staff_alert",)
"""In English, whoever reads it."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """`subject` is one line: a line break in a name must not become another header."""

    subject: str
    text: str
    html: str


def render(message: str, context: Mapping[str, Any], *, environment: Environment) -> Rendered:
    """`app/templates/email/<message>/`; the head of each body.html says which context it wants.

    Raises LookupError for a message that is not in MESSAGES.
    """
    if message not in MESSAGES:
        raise LookupError(f"there is no mail called {message}")

    def part(name: str) -> str:
        return environment.get_template(f"email/{message}/{name}").render(context).strip()

    return Rendered(
        subject=" ".join(part("subject.txt").split()),
        text=part("body.txt") + "\n",
        html=part("body.html") + "\n",
    )
