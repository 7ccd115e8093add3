"""Which lots pay for which line, and which get points back: exact to the point for every line and every lot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.kernel.money import split


@dataclass(frozen=True, slots=True)
class LotShare:
    """`points` of the lot that belong to the line."""

    line: Any
    lot_id: Any
    points: int


def share_lots(lines: Mapping[Any, int], lots: Iterable[tuple[Any, int]]) -> list[LotShare]:
    """The points of `lots` [(lot, points)] over `lines` (line -> points); both sum to the same.

    Lot by lot, over the lines by what each still lacks (largest remainder). What lacks sums to what is left of the
    lots, so no line gets more than it lacks, and the last lot fills every line: both sides come out exactly.
    """
    lacking = dict(lines)
    shares: list[LotShare] = []
    for lot_id, points in lots:
        for line, part in zip(lacking, split(points, list(lacking.values())), strict=True):
            lacking[line] -= part
            if part:
                shares.append(LotShare(line, lot_id, part))
    if any(lacking.values()):
        raise ValueError("lots and lines differ")
    return shares


def give_back(wanted: Mapping[Any, int], left: Sequence[LotShare]) -> list[LotShare]:
    """Where the points `wanted` (line -> points) go back to, among what is `left` of the shares, in that order.

    To a line's own lots first. A refund that empties one tender before the other may give a line more points than
    it was paid with: the rest goes to the lots of the other lines. ValueError when that is more than is left.
    """
    missing = dict(wanted)
    back = [0] * len(left)
    for index, share in enumerate(left):
        back[index] = min(share.points, missing.get(share.line, 0))
        if back[index]:
            missing[share.line] -= back[index]
    rest = sum(missing.values())
    for index, share in enumerate(left):
        more = min(rest, share.points - back[index])
        back[index] += more
        rest -= more
    if rest:
        raise ValueError("more than is left of the points paid")
    return [
        LotShare(share.line, share.lot_id, points) for share, points in zip(left, back, strict=True) if points
    ]
