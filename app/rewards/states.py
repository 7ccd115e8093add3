"""State tables of the rewards room, the same that the database enforces (migrations 0002 and 0020)."""

from __future__ import annotations

from app.kernel.states import StateTable

HOLD = StateTable.of("points_hold", starts="active", edges="active>captured active>released")
EARNING = StateTable.of(
    "points_earning",
    starts="pending",
    edges="pending>confirmed pending>cancelled confirmed>cancelled cancelled>pending",
)
ADJUSTMENT = StateTable.of(
    "points_adjustment",
    starts="awaiting_approval applied",
    edges="awaiting_approval>applied awaiting_approval>rejected awaiting_approval>expired",
)
BATCH = StateTable.of(
    "points_adjustment_batch",
    starts="awaiting_approval applied",
    edges="awaiting_approval>applied awaiting_approval>rejected awaiting_approval>expired",
)
TRANSFER = StateTable.of(
    "points_transfer",
    starts="awaiting_confirmation",
    edges="awaiting_confirmation>done awaiting_confirmation>cancelled awaiting_confirmation>expired",
)
