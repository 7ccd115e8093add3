"""The audit log: who did what, when, why, before and after. It can be read, and nothing else."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from markupsafe import Markup
from sqlalchemy import or_

from app.accounts.models import Customer
from app.accounts.queries import find_customer, find_customer_by_email
from app.audit import reading
from app.audit.models import AuditEntry
from app.audit.reading import Wanted
from app.blueprints.backoffice.access import page
from app.blueprints.backoffice.cells import NOTHING, breakable, differences, link, moment, words
from app.blueprints.backoffice.filters import Rows, days
from app.blueprints.backoffice.lists import Column, StaffList


@dataclass(frozen=True)
class By:
    """A filter that `app.audit.reading` understands: `name` is a field of Wanted."""

    name: str
    label: str
    kind: str = "text"

    def apply(self, statement: Rows, value: str) -> Rows:
        if self.name == "actor" and "@" in value:
            person = find_customer_by_email(value)
            value = str(person.id) if person else value
        wanted: dict[str, Any] = {self.name: value}
        return statement.where(*reading.conditions(Wanted(**wanted)))


class AuditLog(StaffList):
    permission = "audit.read"
    title = "Audit log"
    hint = "Object’s id or request id"
    empty = "Nothing matches. Actions are named like order.refund; “order” finds all that begin with it."
    columns = {
        "at": Column(
            "When (UTC)", lambda row: link(moment(row.at), "admin_audit.show", entry_id=row.id), AuditEntry.id
        ),
        "actor": Column("Who", lambda row: _who(row)),
        "action": Column("Action", lambda row: breakable(row.action)),
        "target": Column("Object", lambda row: _target(row)),
        "reason": Column("Reason", lambda row: row.reason or NOTHING),
    }
    order_by = (AuditEntry.id.desc(),)
    narrow = (
        By("actor", "Who (id, e-mail or name)"),
        By("action", "Action"),
        By("target", "Object (id or type:id)"),
        *days(AuditEntry.at),
    )

    def statement(self) -> Rows:
        entries = reading.matching(Wanted()).add_columns(Customer.name.label("person"))
        return entries.outerjoin(Customer, Customer.id == AuditEntry.actor_id)

    def search(self, statement: Rows, term: str) -> Rows:
        return statement.where(or_(AuditEntry.request_id == term, AuditEntry.target_id == term))

    @page("/<uuid:entry_id>")
    def show(self, entry_id: uuid.UUID) -> str:
        entry = reading.get_entry(entry_id)
        return self.render(
            "admin/audit_entry.html",
            entry=entry,
            actor=find_customer(entry.actor_id) if entry.actor_id else None,
            differences=differences(entry.before, entry.after),
            same_request=_same_request(entry),
        )


def _who(row: Any) -> Markup:
    if not row.person:
        return breakable(row.actor_name)
    role = words(row.actor_role or row.actor_kind)
    return Markup('<span class="words">{}<br><small>{}</small></span>').format(row.person, role)


def _target(row: Any) -> Markup:
    return Markup("<small>{}</small><br>{}").format(breakable(row.target_type), breakable(row.target_id))


def _same_request(entry: reading.Entry) -> list[reading.Entry]:
    """What else the request did; the time around it keeps the search short, as requests do not take long."""
    if len(entry.request_id) < 2:  # outside requests there is only a dash
        return []
    near = timedelta(minutes=5)
    wanted = Wanted(request_id=entry.request_id, since=entry.at - near, until=entry.at + near)
    return [other for other in reading.list_entries(wanted, limit=20).items if other.id != entry.id]
