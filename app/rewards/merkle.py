"""Merkle trees as in RFC 6962, section 2.1: one hash over many, and a short path that proves one of them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence

EMPTY = hashlib.sha256(b"").digest()


def leaf(customer_id: uuid.UUID, version: int, head: bytes) -> bytes:
    """Where one account stands: its id, how many transactions it has, the hash of the last."""
    return leaf_hash(customer_id.bytes + version.to_bytes(8, "big") + head)


def leaf_hash(content: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + content).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The tree's hash, from its leaf hashes in order; keeps one hash a level in memory."""
    stack: list[tuple[int, bytes]] = []
    for item in leaves:
        size, node = 1, item
        while stack and stack[-1][0] == size:
            node = _parent(stack.pop()[1], node)
            size *= 2
        stack.append((size, node))
    if not stack:
        return EMPTY
    node = stack.pop()[1]
    while stack:
        node = _parent(stack.pop()[1], node)
    return node


def path(leaves: Sequence[bytes], index: int) -> list[tuple[str, bytes]]:
    """From leaf `index` up: [("left" or "right", the hash beside it)]."""
    if len(leaves) <= 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)  # the largest power of two below the number of leaves
    if index < split:
        return [*path(leaves[:split], index), ("right", root(leaves[split:]))]
    return [*path(leaves[split:], index - split), ("left", root(leaves[:split]))]


def climb(start: bytes, steps: Iterable[tuple[str, bytes]]) -> bytes:
    """The root that a path leads to. Raises ValueError for a step to neither side."""
    node = start
    for side, beside in steps:
        if side not in {"left", "right"}:
            raise ValueError(f"a path goes left or right, not {side}")
        node = _parent(beside, node) if side == "left" else _parent(node, beside)
    return node


def _parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
