"""What relay, worker and schedule share: the application, Redis, and a clean end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flask import Flask
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from app import create_app
from app.outbox.service import QUEUES


@lru_cache(maxsize=1)
def flask_app() -> Flask:
    """The shop of this process: one, with its connections."""
    return create_app()


def redis_from(config: Mapping[str, Any]) -> Redis:
    """A connection that gives up after seconds instead of hanging."""
    return Redis.from_url(
        config["REDIS_URL"], socket_connect_timeout=2, socket_timeout=5, health_check_interval=30
    )


def queue_of(name: str, connection: Redis) -> Queue:
    """Jobs are JSON: whoever reaches Redis must not be able to run code here, as pickles would let him."""
    return Queue(name, connection=connection, serializer=JSONSerializer)


def queues_on(connection: Redis) -> dict[str, Queue]:
    """One queue a worker process: several in one would lose jobs when it is killed (rq#1716)."""
    return {name: queue_of(name, connection) for name in QUEUES}


class Stopping:
    """SIGTERM or Ctrl-C sets it; loops wait on it instead of sleeping."""

    def __init__(self) -> None:
        self._event = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._event.set())

    def __bool__(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """True as soon as it is time to stop."""
        return self._event.wait(seconds)
