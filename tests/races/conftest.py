"""One whole shop for all races."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.shop import LiveShop, running


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    with running(tmp_path_factory.mktemp("races")) as shop:
        yield shop
