"""Between which accounts each kind of transaction may move points; the database refuses the rest (migration 0055)."""

from __future__ import annotations

from app.rewards.models import CUSTOMER_ACCOUNTS, PROGRAMME_ACCOUNTS

# "-": out of the account, "+": into it. A clawback also pays a debt with points that came back. What is taken back
# after it had expired is booked over; what comes back too late for its lot goes to another by transit.
MOVES = {
    "earn": "-issued +pending",
    "earn_confirm": "-pending +available +debt",
    "earn_cancel": "-pending +issued",
    "hold": "-available +held",
    "capture": "-held +redeemed",
    "release": "-held +available +transit -transit",
    "refund": "-redeemed +available +transit -transit",
    "expire": "-available +expired",
    "adjust": "-adjusted +adjusted -available +available -debt +debt -expired",
    "clawback": "-available -expired -debt +debt -clawback +clawback",
    "transfer_out": "-available +transit",
    "transfer_in": "-transit +available",
}
_BITS = {account: 1 << 2 * place for place, account in enumerate(CUSTOMER_ACCOUNTS + PROGRAMME_ACCOUNTS)}


def _mask(moves: str) -> int:
    return sum(_BITS[move[1:]] << (move[0] == "-") for move in moves.split())


_CASES = " ".join(f"WHEN '{account}' THEN {bit}" for account, bit in _BITS.items())
MOVED = f"bit_or((CASE account {_CASES} END) << (amount < 0)::int)"
"""Of the entries of one transaction: what moved, as bits."""
_KINDS = " ".join(f"WHEN '{kind}' THEN {_mask(moves)}" for kind, moves in MOVES.items())
ALLOWED = f"CASE x.kind {_KINDS} ELSE 0 END"
"""Of a transaction `x`: the bits that its kind may have."""
