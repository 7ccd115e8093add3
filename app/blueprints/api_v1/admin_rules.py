"""Versions of the programme's rules, for staff."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from flask import Blueprint
from msgspec import Meta, Struct

from app.blueprints.api_v1.answers import Answer, Listing, PageQuery, answer, listing
from app.blueprints.api_v1.contract import endpoint
from app.blueprints.common.actors import actor_from_request
from app.kernel.database import run_atomically
from app.kernel.pagination import page_of_whole
from app.rewards.queries.versions import RulesVersion, get_rules_version, list_rules_versions
from app.rewards.service.rules_versions import publish

bp = Blueprint("admin_rules", __name__, url_prefix="/admin/rewards/rules")


class RulesBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """`rules`: the whole version; what is left out has its default. `effective_from`: null is now."""

    rules: dict[str, Any]
    reason: Annotated[str, Meta(max_length=1000)]
    effective_from: datetime | None = None


class RulesVersionOut(Struct):
    """`rules` as stored, defaults written out. `created_by`: who published it."""

    version: int
    state: Literal["past", "in_force", "future"]
    effective_from: datetime
    created_at: datetime
    created_by: str
    rules: dict[str, Any]

    @classmethod
    def of(cls, found: RulesVersion) -> RulesVersionOut:
        plain = {name: getattr(found, name) for name in cls.__struct_fields__ if name != "rules"}
        return cls(rules=msgspec.to_builtins(found.rules), **plain)


@bp.get("")
@endpoint(
    "All versions of the rules",
    query=PageQuery,
    returns={200: Listing[RulesVersionOut]},
    auth="staff",
    permission="rules.read",
    errors=["CURSOR_INVALID"],
)
def list_rules(query: PageQuery) -> Answer:
    """The latest start first; old versions stay readable for ever."""
    page = page_of_whole(
        list_rules_versions(),
        key=lambda found: [found.effective_from.isoformat(), found.version],
        width=2,
        descending=True,
        name="rules",
        cursor=query.cursor,
        limit=query.size,
        with_total=query.total,
    )
    return answer(listing(page, RulesVersionOut.of))


@bp.post("")
@endpoint(
    "Publish a version of the rules",
    body=RulesBody,
    returns={201: RulesVersionOut},
    auth="staff",
    permission="rules.edit",
    errors=["RULES_INVALID"],
)
def publish_rules(body: RulesBody) -> Answer:
    """A version is never edited: to correct one, publish another."""
    actor = actor_from_request()
    version = run_atomically(
        lambda: publish(body=body.rules, effective_from=body.effective_from, reason=body.reason, actor=actor)
    )
    message = f"Version {version} is published."
    return answer(RulesVersionOut.of(get_rules_version(version)), status=201, message=message)
