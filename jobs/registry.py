"""Which function does which job. Every module of `jobs.handlers` says so itself, in `HANDLERS` and `TASKS`."""

from __future__ import annotations

import importlib
import pkgutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from app.kernel.actor import Actor, system


@dataclass(frozen=True, slots=True)
class RunningJob:
    """What a handler is given. It may be given the same job twice: `dedupe_key` names the effect for ever."""

    id: uuid.UUID
    topic: str
    dedupe_key: str
    payload: Mapping[str, Any]
    request_id: str
    attempts: int

    @property
    def actor(self) -> Actor:
        return system(self.topic, request_id=self.request_id)


class Later(Exception):
    """Raised by a handler: not now, and that is no fault. The job comes again after its usual wait."""


class Unanswered(Later):
    """Somebody whom the job needs gives no answer: it asks again every two minutes, for a day."""


Handler = Callable[[RunningJob], None]


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do again and again. `run` opens its own transactions and returns a sentence for staff."""

    name: str
    every: timedelta
    run: Callable[[], str | None]


@lru_cache(maxsize=1)
def handlers() -> Mapping[str, Handler]:
    """Topic to handler. Raises ValueError when two modules want the same topic."""
    found: dict[str, Handler] = {}
    for module in _modules():
        for topic, handler in getattr(module, "HANDLERS", {}).items():
            if topic in found:
                raise ValueError(f"two handlers for {topic}")
            found[topic] = handler
    return found


@lru_cache(maxsize=1)
def tasks() -> Sequence[Task]:
    """All scheduled tasks, by name. Raises ValueError when a name is used twice."""
    found: dict[str, Task] = {}
    for module in _modules():
        for task in getattr(module, "TASKS", ()):
            if task.name in found:
                raise ValueError(f"two tasks called {task.name}")
            found[task.name] = task
    return [found[name] for name in sorted(found)]


def _modules() -> list[Any]:
    package = importlib.import_module("jobs.handlers")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"jobs.handlers.{name}") for name in names]
