"""A few histories with every run of the tests; `make simulate` plays a thousand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from embedded import services
from tests.simulation.runner import play
from tests.simulation.world import World

SEEDS = range(1, 26)


@pytest.fixture(scope="module")
def world(database: services.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(database, tmp_path_factory.mktemp("simulation"))
    yield world
    world.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_history_ends_as_it_must(world: World, seed: int) -> None:
    result = play(world, seed)
    assert not result.found, str(result)


def test_a_seed_replays_exactly(world: World) -> None:
    """Whatever was played in between: a failing seed can be looked at again and again."""
    first = play(world, 17)
    play(world, 18)
    assert play(world, 17).steps == first.steps
