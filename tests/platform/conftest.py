"""Servers below a directory of the test's own, gone when the test is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import services, shelter
from embedded.services import Endpoints


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Endpoints]]:
    """Servers that a whole module shares, and their base directory; its tests leave them running."""
    base = tmp_path_factory.mktemp("shared").resolve()
    yield base, services.start(base, profile="test", environ={})
    services.stop(base, profile="test")
    shelter.discard(base)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """A base directory whose servers are stopped afterwards; nobody but its owner can enter it."""
    base = (tmp_path / "a base").resolve()
    base.mkdir(mode=0o700)
    yield base
    services.stop(base, profile="test")
    shelter.discard(base)
