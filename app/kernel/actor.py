"""Who acts: passed explicitly to every verb that writes, never fetched from thin air."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["customer", "staff", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is what the ledger and the audit log show: a customer or staff id, or a job's name."""

    kind: ActorKind
    id: uuid.UUID | None
    name: str
    role: str | None = None
    request_id: str = "-"
    ip: str | None = None
    user_agent: str | None = None


def system(job: str, *, request_id: str = "-") -> Actor:
    """The shop itself, acting through the job named."""
    return Actor(kind="system", id=None, name=f"system:{job}", request_id=request_id)
