"""The shop behind proxies: everything that it says to gateway, PostgreSQL and Redis goes through them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from embedded import services
from tests.network.proxy import Proxy
from tests.simulation.world import World


class Wires:
    """One proxy for each server that the shop talks to, by name."""

    def __init__(self, database: services.Endpoints) -> None:
        self.proxies: dict[str, Proxy] = {}
        self._names = {
            urlsplit(database.database_url).port: "postgres",
            urlsplit(database.redis_url).port: "redis",
        }

    def through(self, url: str) -> str:
        """The same URL, by way of the proxy of its server."""
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        name = self._names.get(parts.port, "gateway")
        if name not in self.proxies:
            self.proxies[name] = Proxy(parts.hostname, parts.port)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.proxies[name].port}"))

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.close()


@pytest.fixture(scope="module")
def wires(database: services.Endpoints) -> Iterator[Wires]:
    made = Wires(database)
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(
    database: services.Endpoints, wires: Wires, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    world = World(database, tmp_path_factory.mktemp("network"), wires.through)
    yield world
    world.close()
