"""Adjustments of points, for staff."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from flask import Blueprint
from msgspec import Meta, Struct

from app.blueprints.api_v1.answers import Answer, Listing, PageQuery, Points, answer, listing
from app.blueprints.api_v1.contract import endpoint
from app.blueprints.api_v1.idempotent import IdempotentRequest, once
from app.blueprints.common.actors import actor_from_request
from app.kernel.database import run_atomically
from app.rewards import queries
from app.rewards.queries import Adjustment
from app.rewards.service import adjustments

bp = Blueprint("admin_rewards", __name__, url_prefix="/admin/rewards")

Note = Annotated[str, Meta(max_length=2000)]
State = Literal["awaiting_approval", "applied", "rejected", "expired"]


class AdjustmentBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """`points` signed. `reason_code` is one of the programme's own (see the rules). `note` is for colleagues."""

    customer_id: uuid.UUID
    points: Points
    reason_code: Annotated[str, Meta(max_length=40, examples=["goodwill"])]
    note: Note
    points_expire_at: datetime | None = None


class NoteBody(Struct, kw_only=True, forbid_unknown_fields=True):
    note: Note


class AdjustmentQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    status: State | None = None
    customer_id: uuid.UUID | None = None


class AdjustmentOut(Struct):
    """`status`: `applied` when the points have moved. `requested_by` and `decided_by` are ids of staff."""

    id: uuid.UUID
    customer_id: uuid.UUID
    points: Points
    reason_code: str
    note: str
    status: State
    points_expire_at: datetime | None
    requested_by: uuid.UUID
    decided_by: uuid.UUID | None
    decision_note: str | None
    reversal_of: uuid.UUID | None
    created_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, row: Adjustment) -> AdjustmentOut:
        same = {name: getattr(row, name) for name in cls.__struct_fields__ if name != "status"}
        return cls(status=row.state, **same)  # type: ignore[arg-type]


@bp.post("/adjustments")
@endpoint(
    "Add or take a customer's points",
    body=AdjustmentBody,
    returns={201: AdjustmentOut, 202: AdjustmentOut},
    auth="staff",
    permission="rewards.adjust",
    idempotent=True,
    errors=["POINTS_INSUFFICIENT", "ADJUSTMENT_DUPLICATE"],
)
def create_adjustment(body: AdjustmentBody, key: IdempotentRequest) -> Answer:
    """201: applied. 202: above what the caller may do alone, so it waits for somebody else."""
    actor = actor_from_request()

    def work() -> Answer:
        made = adjustments.request(
            customer_id=body.customer_id,
            points=body.points,
            reason_code=body.reason_code,
            note=body.note,
            points_expire_at=body.points_expire_at,
            rules=queries.rules_in_force(),
            actor=actor,
        )
        return _answer(made, 201 if made.state == "applied" else 202)

    return once(key, work)


@bp.get("/adjustments")
@endpoint(
    "Adjustments, newest first",
    query=AdjustmentQuery,
    returns={200: Listing[AdjustmentOut]},
    auth="staff",
    permission="rewards.read",
    errors=["CURSOR_INVALID"],
)
def list_adjustments(query: AdjustmentQuery) -> Answer:
    page = queries.list_adjustments(
        state=query.status,
        customer_id=query.customer_id,
        cursor=query.cursor,
        limit=query.size,
        with_total=query.total,
    )
    return answer(listing(page, AdjustmentOut.of))


@bp.post("/adjustments/<uuid:adjustment_id>/approve")
@endpoint(
    "Approve an adjustment",
    body=NoteBody,
    returns={200: AdjustmentOut},
    auth="staff",
    permission="rewards.approve",
    errors=[
        "SELF_APPROVAL",
        "TRANSITION_INVALID",
        "ADJUSTMENT_EXPIRED",
        "ADJUSTMENT_IN_BATCH",
        "POINTS_INSUFFICIENT",
    ],
)
def approve_adjustment(adjustment_id: uuid.UUID, body: NoteBody) -> Answer:
    """Never by the one who asked, nor by the one who would receive."""
    actor = actor_from_request()
    decided = run_atomically(
        lambda: adjustments.approve(
            adjustment_id=adjustment_id, note=body.note, rules=queries.rules_in_force(), actor=actor
        )
    )
    return _answer(decided, 200)


@bp.post("/adjustments/<uuid:adjustment_id>/reject")
@endpoint(
    "Reject an adjustment",
    body=NoteBody,
    returns={200: AdjustmentOut},
    auth="staff",
    permission="rewards.approve",
    errors=["SELF_APPROVAL", "TRANSITION_INVALID", "ADJUSTMENT_IN_BATCH"],
)
def reject_adjustment(adjustment_id: uuid.UUID, body: NoteBody) -> Answer:
    actor = actor_from_request()
    decided = run_atomically(
        lambda: adjustments.reject(adjustment_id=adjustment_id, note=body.note, actor=actor)
    )
    return _answer(decided, 200)


_SENTENCES = {
    "applied": "The points have moved.",
    "awaiting_approval": "Somebody else has to approve this.",
    "rejected": "The adjustment was rejected; nothing has moved.",
    "expired": "The adjustment has expired; nothing has moved.",
}


def _answer(made: Adjustment, status: int) -> Answer:
    return answer(AdjustmentOut.of(made), status=status, message=_SENTENCES[made.state])
