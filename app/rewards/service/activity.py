"""A programme may let points live on while their owner is active: who earns or spends keeps what they have."""

from __future__ import annotations

import uuid

from sqlalchemy import update

from app.kernel import clock
from app.kernel.database import session
from app.rewards.models import PointsLot
from app.rewards.policies import ExpiryRules, lives_until


def extend(*, customer_id: uuid.UUID, rules: ExpiryRules) -> None:
    """The customer earns or spends now: every lot that has not expired lives at least as long as the rules say.

    Written at once, so that every date that is shown is the one that counts; spent lots as well, because a refund
    goes back into them. Lock the account before. No statement where the rules have no such extension.
    """
    now = clock.now()
    until = lives_until(now, rules)
    if until is None:
        return
    mine = (PointsLot.customer_id == customer_id, PointsLot.expires_at > now, PointsLot.expires_at < until)
    session().execute(update(PointsLot).where(*mine).values(expires_at=until))
