"""State tables as data: the rule is the table, with one setter and one error that names both ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.kernel.errors import Conflict


@dataclass(frozen=True)
class StateTable:
    """`starts`: states a row may be born in. `edges`: state -> states it may move to."""

    name: str
    starts: frozenset[str]
    edges: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, name: str, *, starts: str, edges: str) -> StateTable:
        """Read `"a>b a>c b>c"`; every state that has no edge out is final."""
        table: dict[str, set[str]] = {}
        for edge in edges.split():
            source, target = edge.split(">")
            table.setdefault(source, set()).add(target)
            table.setdefault(target, set())
        frozen = {state: frozenset(targets) for state, targets in table.items()}
        return cls(name, frozenset(starts.split()), frozen)

    @property
    def states(self) -> frozenset[str]:
        return frozenset(self.edges)

    def allows(self, source: str, target: str) -> bool:
        return target in self.edges.get(source, frozenset())

    def check(self, source: str, target: str) -> None:
        """Raises Conflict `TRANSITION_INVALID`, naming both ends, unless the table has the edge."""
        if not self.allows(source, target):
            what, now, then = (
                text.replace("_", " ") for text in (self.name.removeprefix("points_"), source, target)
            )
            raise Conflict(
                f"This {what} is {now} and cannot become {then}.",
                code="TRANSITION_INVALID",
                details={"from": source, "to": target},
            )

    def edge_list(self) -> list[str]:
        """`["a>b", …]`, sorted: compared by a test with what the database enforces."""
        return sorted(f"{source}>{target}" for source, targets in self.edges.items() for target in targets)
