"""Reading the audit log, newest first. Nothing here writes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select

from app.audit.models import AuditEntry
from app.kernel.database import count_up_to, session
from app.kernel.errors import NotFound
from app.kernel.pagination import DEFAULT_LIMIT, MAX_TOTAL, Page, decode_cursor, id_in, page_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact, without the hashes that prove it."""

    id: uuid.UUID
    at: datetime
    actor_kind: str
    actor_id: uuid.UUID | None
    actor_name: str
    actor_role: str | None
    action: str
    target_type: str
    target_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    request_id: str
    ip: str | None
    user_agent: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters; None does not filter. `actor`: an id or a name (`system:relay`). `target`: an id, or `type:id`.
    `action`: whole (`order.refund`) or its first part (`order`). Both instants included."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_COLUMNS = [getattr(AuditEntry, field.name) for field in fields(Entry)]


def list_entries(
    wanted: Wanted, *, cursor: str | None = None, limit: int = DEFAULT_LIMIT, with_total: bool = False
) -> Page[Entry]:
    """Newest first by id, which is time-ordered. Raises RuleBroken `CURSOR_INVALID`."""
    filters = {field.name: getattr(wanted, field.name) for field in fields(Wanted)}
    statement = matching(wanted)
    total = count_up_to(statement, MAX_TOTAL) if with_total else None
    backwards = False
    if cursor is not None:
        (key,), backwards = decode_cursor(cursor, filters=filters, width=1)
        edge = id_in(key)
        statement = statement.where(AuditEntry.id > edge if backwards else AuditEntry.id < edge)
    order = AuditEntry.id.asc() if backwards else AuditEntry.id.desc()
    rows = session().execute(statement.order_by(order).limit(limit + 1)).all()
    page = page_of(
        rows,
        limit=limit,
        key=lambda row: [str(row.id)],
        filters=filters,
        backwards=backwards,
        first=cursor is None,
        total=total,
    )
    return page.showing(lambda row: Entry(*row))


def list_about(target_type: str, target_id: str, *, limit: int = 50) -> Sequence[Entry]:
    """What was done to one thing, newest first."""
    statement = select(*_COLUMNS).where(
        AuditEntry.target_type == target_type, AuditEntry.target_id == target_id
    )
    rows = session().execute(statement.order_by(AuditEntry.seq.desc()).limit(limit))
    return [Entry(*row) for row in rows]


def get_entry(entry_id: uuid.UUID) -> Entry:
    """Raises NotFound."""
    row = session().execute(select(*_COLUMNS).where(AuditEntry.id == entry_id)).first()
    if row is None:
        raise NotFound("There is no such entry in the audit log.")
    return Entry(*row)


def matching(wanted: Wanted) -> Select[Any]:
    """The entries that pass the filters, unordered."""
    statement: Select[Any] = select(*_COLUMNS)
    return statement.where(*conditions(wanted))


def conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.actor:
        found.append(_is_actor(wanted.actor))
    if wanted.action:
        # "." to "/" are neighbours in ASCII: everything that begins with the word and a dot
        within = (AuditEntry.action >= wanted.action + ".") & (AuditEntry.action < wanted.action + "/")
        found.append(or_(AuditEntry.action == wanted.action, within))
    if wanted.target:
        found.append(_is_target(wanted.target))
    if wanted.request_id:
        found.append(AuditEntry.request_id == wanted.request_id)
    if wanted.since:
        found.append(AuditEntry.at >= wanted.since)
    if wanted.until:
        found.append(AuditEntry.at <= wanted.until)
    return found


def _is_actor(text: str) -> ColumnElement[bool]:
    try:
        return AuditEntry.actor_id == uuid.UUID(text)
    except ValueError:
        return AuditEntry.actor_name == text


def _is_target(text: str) -> ColumnElement[bool]:
    kind, colon, target_id = text.partition(":")
    if colon:
        return (AuditEntry.target_type == kind) & (AuditEntry.target_id == target_id)
    return AuditEntry.target_id == text
