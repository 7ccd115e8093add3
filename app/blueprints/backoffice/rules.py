"""Versions of the programme's rules: which one counts when, and what it says. Never edited."""

from __future__ import annotations

import json

from sqlalchemy import select

from app.blueprints.backoffice.access import page
from app.blueprints.backoffice.cells import link, moment
from app.blueprints.backoffice.filters import Rows
from app.blueprints.backoffice.lists import Column, StaffList
from app.kernel.database import session
from app.kernel.errors import NotFound
from app.rewards.models import RewardsRules
from app.rewards.queries import rules_in_force

MOST = 2**31
"""Above what an address may ask the database for."""


class RulesVersions(StaffList):
    permission = "rules.read"
    title = "Rules"
    empty = "No version has been published."
    columns = {
        "version": Column(
            "Version", lambda row: link(f"Version {row.version}", "admin_rules.show", version=row.version)
        ),
        "effective_from": Column("In force from (UTC)", lambda row: moment(row.effective_from)),
        "created_at": Column("Published (UTC)", lambda row: moment(row.created_at)),
        "created_by": Column("By", lambda row: row.created_by),
    }
    order_by = (RewardsRules.effective_from.desc(), RewardsRules.version.desc())

    def statement(self) -> Rows:
        rules = RewardsRules
        return select(rules.version, rules.effective_from, rules.created_at, rules.created_by)

    @page("/<int:version>")
    def show(self, version: int) -> str:
        wanted = select(RewardsRules).where(RewardsRules.version == version)
        found = session().execute(wanted).scalar_one_or_none() if version < MOST else None
        if found is None:
            raise NotFound("There is no such version.")
        page: str = self.render(
            "admin/rules.html",
            found=found,
            in_force=rules_in_force().version,
            body=json.dumps(found.body, indent=2, sort_keys=True, ensure_ascii=False),
        )
        return page
