"""Finding processes by what they are, not by a number that may have been handed on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

# Marks every process of one stack, so that those that outlived a killed supervisor are found again.
MARK = "SHOP_STACK"


def works_in(directory: Path, name: str) -> bool:
    """Whether a process called like `name` has `directory` as its working directory, as servers do."""
    place = os.path.realpath(directory)
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if name in process.name() and process.cwd() == place:
                return True
    return False


def gone(pid: int) -> bool:
    """Whether the process has ended, be it reaped or not: a container's init may take seconds for that."""
    try:
        process = psutil.Process(pid)
        # The first thread is a zombie before the last one has let go of files and ports.
        return bool(process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1)
    except psutil.NoSuchProcess:
        return True


def kill_marked(mark: str) -> int:
    """SIGKILL every process started under `mark` by a supervisor that is gone; how many there were."""
    return kill_all(lambda process: process.environ().get(MARK) == mark)


def kill_session(leader: int) -> int:
    """SIGKILL what is left of the session that `leader` led; how many there were."""
    return kill_all(lambda process: os.getsid(process.pid) == leader)


def kill_all(chosen: Callable[[psutil.Process], bool]) -> int:
    """SIGKILL the processes that `chosen` picks (never this one) and wait until they are gone; how many."""
    victims = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE and chosen(process):
                process.kill()
                victims.append(process.pid)
    deadline = time.monotonic() + 10
    while not all(map(gone, victims)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(victims)
