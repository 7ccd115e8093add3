"""Play histories: one, with all it did, or a world to play many in."""

from __future__ import annotations

import tempfile
import traceback
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from embedded import services
from tests.simulation.history import History
from tests.simulation.world import World


@dataclass(frozen=True)
class Result:
    """One history: what was wrong, and what had happened."""

    seed: int
    found: list[str]
    steps: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"seed {self.seed}", *(f"  {number:3} {step}" for number, step in enumerate(self.steps, 1))]
        return "\n".join([*lines, *(f"  WRONG {problem}" for problem in self.found)])


def play(world: World, seed: int) -> Result:
    """One history from start to end; an exception of the shop is a finding like any other."""
    history = History(world, seed)
    try:
        found = history.run()
    except Exception:
        world.faults.disarm()
        found = [*history.found, traceback.format_exc()]
    return Result(seed, found, history.steps)


def play_share(endpoints: services.Endpoints, template: str, seeds: Sequence[int]) -> list[Result]:
    """These histories one after the other, in one world."""
    with world_of_its_own(endpoints, template) as world:
        return [play(world, seed) for seed in seeds]


@contextmanager
def world_of_its_own(endpoints: services.Endpoints, template: str) -> Iterator[World]:
    """A world on a new database, which is dropped after it."""
    from tests.conftest import _in_database, _plain

    name = f"sim_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(_plain(endpoints.database_owner_url), autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
                world = World(_in_database(endpoints, name), Path(folder))
                try:
                    yield world
                finally:
                    world.close()
        finally:
            owner.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
