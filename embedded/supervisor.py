"""Keeps a handful of processes alive, labels what they say, and stops all of them.

honcho ends everything when one process ends; here a process that dies is started again, because the shop
promises that an order ends right when any one of its processes is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from embedded.processes import kill_session

Say = Callable[[str, str], None]

# A process that dies this often within this many seconds will not get well by being started again.
QUICK_DEATHS, WITHIN = 5, 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
# The web server's own grace for running requests is shorter.
STOP_GRACE = 20.0


@dataclass(frozen=True)
class Command:
    """A process to keep alive: its name in the logs, its command line, and its whole environment."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path


class Supervised:
    """One process of a running stack, leading a session of its own: a terminal's Ctrl-C does not reach it."""

    def __init__(self, command: Command, say: Say) -> None:
        self.command = command
        self._say = say
        self._process: subprocess.Popen[str] | None = None
        self._deaths: deque[float] = deque(maxlen=QUICK_DEATHS)
        self.wanted = False
        self.starts = 0
        self.due = 0.0

    @property
    def pid(self) -> int | None:
        """The pid while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it now, and again whenever it dies."""
        self.wanted = True
        self.starts += 1
        self._process = subprocess.Popen(
            self.command.arguments,
            env=dict(self.command.environment),
            cwd=self.command.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._relay, args=(self._process,), daemon=True).start()

    def kill(self) -> None:
        """SIGKILL the process alone, as a crash would. The supervisor starts it again."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGKILL)

    def ask_to_stop(self) -> None:
        """SIGTERM, and do not start it again."""
        self.wanted = False
        if (pid := self.pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def stop(self, grace: float = STOP_GRACE) -> None:
        """Stop it for good: SIGTERM, after `grace` seconds SIGKILL, and whatever it left behind."""
        self.ask_to_stop()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
            self.sweep()

    def sweep(self) -> None:
        """SIGKILL what is left of its session: an orphaned web worker would keep the port."""
        if self._process is not None:
            kill_session(self._process.pid)
            self._process.wait()

    def check(self) -> bool:
        """Start it again if it died and its pause is over; False when it has died too often to go on."""
        if not self.wanted or self._process is None or self._process.poll() is None:
            return True
        now = time.monotonic()
        if not self.due:
            self.sweep()
            recent = [died for died in self._deaths if died > now - WITHIN]
            self._deaths.append(now)
            if len(recent) + 1 >= QUICK_DEATHS:
                return False
            pause = min(FIRST_PAUSE * 2 ** len(recent), LONGEST_PAUSE)
            self._say(
                self.command.name, f"{_ending(self._process.returncode)}; starting again in {pause:.1f} s"
            )
            self.due = now + pause
        elif now >= self.due:
            self.due = 0.0
            self.start()
        return True

    def ending(self) -> str:
        """How it ended last, in words."""
        return _ending(self._process.returncode if self._process else None)

    def _relay(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._say(self.command.name, line.rstrip("\n"))


class Supervisor:
    """Starts commands in order, watches them from a thread, stops them in reverse order."""

    def __init__(self, commands: list[Command], say: Say) -> None:
        self.processes = {command.name: Supervised(command, say) for command in commands}
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self.failure: str | None = None
        self.failed = threading.Event()

    def start(self) -> None:
        """Start everything and begin to watch."""
        for process in self.processes.values():
            process.start()
        self._watcher.start()

    def stop(self) -> None:
        """Stop everything; returns when nothing is left."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        last_first = list(reversed(self.processes.values()))
        for process in last_first:
            process.ask_to_stop()
        deadline = time.monotonic() + STOP_GRACE
        for process in last_first:
            process.stop(max(0.1, deadline - time.monotonic()))

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            for process in self.processes.values():
                if not process.check():
                    name = process.command.name
                    self.failure = (
                        f"The process `{name}` died {QUICK_DEATHS} times within {WITHIN:.0f} seconds "
                        f"({process.ending()}): its last lines above say why."
                    )
                    self.failed.set()
                    return


def _ending(returncode: int | None) -> str:
    if returncode is None:
        return "not started"
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"
