"""A balance certificate: one customer's whole chain and its place under a seal, checked with no database.

The links are the ones that the database makes (migrations 0002 and 0047, points_apply_entries): SHA-256 over the
link before and the transaction as PostgreSQL prints it in a jsonb array, `meta` as text.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from app.rewards import merkle

FORMAT = "points-certificate/1"
START = bytes(32)
SEALED = (
    "seq",
    "sealed_at_us",
    "accounts",
    "transactions",
    "root",
    "audit_targets",
    "audit_rows",
    "audit_root",
)
END_OF_TIME = 253_402_300_800_000_000
"""Microseconds from 1970 to the year 10000."""
BALANCES = ("available", "held", "pending", "debt")
NEVER_BELOW_ZERO = ("available", "held", "pending")


def link(before: bytes, customer_id: str, transaction: Mapping[str, Any]) -> bytes:
    """The hash of one transaction in its chain."""
    body = [
        customer_id,
        transaction["seq"],
        transaction["id"],
        transaction["kind"],
        transaction["idem_key"],
        transaction["ref_type"],
        transaction["ref_id"],
        transaction["actor"],
        transaction["description"],
        transaction["meta"],
        transaction["created_at_us"],
        transaction["entries"],
    ]
    return hashlib.sha256(before + json.dumps(body, ensure_ascii=False).encode()).digest()


def seal_hash(before: bytes, seal: Mapping[str, Any]) -> bytes:
    """The hash of one seal; the same text is built by the probe in service.seals."""
    return hashlib.sha256(before + "|".join(str(seal[name]) for name in SEALED).encode()).digest()


def problems(document: Any, *, seal: str | None = None, customer: uuid.UUID | None = None) -> list[str]:
    """What is wrong with a certificate, in sentences; nothing when it holds. Never raises on bad input.

    `customer`: whose it must be; None: anybody's will do.

    `seal`: the hash, in hex, of the seal that it must be under, known from elsewhere. None: the certificate is
    compared with itself alone, which anybody can write so that it agrees.
    """
    try:
        if document["format"] != FORMAT:
            return [f"This is not a certificate of format {FORMAT}."]
        return [
            *_owner_problems(document, customer),
            *_chain_problems(document),
            *_seal_problems(document, seal),
        ]
    except KeyError as error:
        return [f"The certificate is damaged: it does not say “{error.args[0]}”."]
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        return [f"The certificate is damaged: {type(error).__name__} {error}."]


def _owner_problems(document: Mapping[str, Any], wanted: uuid.UUID | None) -> list[str]:
    owner = uuid.UUID(document["customer_id"])
    if wanted is None or owner == wanted:
        return []
    return [f"This is the certificate of another customer: {owner}."]


def _chain_problems(document: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    before, sums = START, dict.fromkeys(BALANCES, 0)
    for number, transaction in enumerate(document["transactions"], start=1):
        where = f"Transaction {number}"
        if transaction["seq"] != number:
            found.append(f"{where} says that it is number {transaction['seq']}.")
        if sum(entry[3] for entry in transaction["entries"]) != 0 or len(transaction["entries"]) < 2:
            found.append(f"{where} does not sum to zero.")
        for _, account, _, amount in transaction["entries"]:
            if account in sums:
                sums[account] += amount
        if min(sums[name] for name in NEVER_BELOW_ZERO) < 0:
            found.append(f"{where} leaves a balance below zero.")
        before = link(before, document["customer_id"], transaction)
        if before.hex() != transaction["hash"]:
            found.append(f"{where} has been changed: its hash is not the hash of what it says.")
            before = bytes.fromhex(transaction["hash"])
    if document["version"] != len(document["transactions"]) or before.hex() != document["head"]:
        found.append("The chain does not end where the certificate says.")
    if sums != document["balances"]:
        found.append(
            f"The balances are {_said(sums)} by the transactions, not {_said(document['balances'])}."
        )
    return found


def _said(balances: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {points:,}" for name, points in balances.items())


def sealed_balances(document: Mapping[str, Any]) -> dict[str, int]:
    """The balances in points after the last transaction that the seal covers, of a certificate that holds."""
    sums = dict.fromkeys(BALANCES, 0)
    for transaction in document["transactions"][: document["seal"]["leaf_version"]]:
        for _, account, _, amount in transaction["entries"]:
            if account in sums:
                sums[account] += amount
    return sums


def _is_instant(microseconds: Any) -> bool:
    return type(microseconds) is int and 0 <= microseconds < END_OF_TIME


def _seal_problems(document: Mapping[str, Any], wanted: str | None) -> list[str]:
    seal = document["seal"]
    if seal is None:
        return ["The certificate is under no seal."] if wanted else []
    if not _is_instant(seal["sealed_at_us"]):
        return ["The seal does not say when it was made."]
    version = seal["leaf_version"]
    if not 1 <= version <= len(document["transactions"]):
        return ["The seal covers a transaction that is not there."]
    head = bytes.fromhex(document["transactions"][version - 1]["hash"])
    start = merkle.leaf(uuid.UUID(document["customer_id"]), version, head)
    found = []
    if (
        merkle.climb(start, [(side, bytes.fromhex(beside)) for side, beside in seal["path"]]).hex()
        != seal["root"]
    ):
        found.append("The chain is not under the seal: its path leads to another root.")
    before = bytes.fromhex(seal["prev_hash"])
    # no more and no less: what is too long there would be read as the beginning of what follows
    if len(before) != len(START) or seal_hash(before, seal).hex() != seal["hash"]:
        found.append("The seal has been changed: its hash is not the hash of what it says.")
    if wanted is not None and seal["hash"] != wanted:
        found.append(f"The certificate is under another seal: number {seal['seq']}, {seal['hash']}.")
    return found
