"""Processes that die are started again; those that keep dying end everything."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.processes import MARK, gone, kill_marked
from embedded.supervisor import QUICK_DEATHS, Command, Supervisor

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
# like gunicorn: a child that would outlive its parent and keep what it holds
PARENT = (
    "import subprocess, sys, time\n"
    f"child = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])\n"
    "print('child', child.pid, flush=True)\n"
    "time.sleep(600)"
)
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


class Stage:
    """A supervisor over one Python program, and what was said."""

    def __init__(self, directory: Path, program: str) -> None:
        self.lines: list[tuple[str, str]] = []
        environment = {**os.environ, MARK: str(directory)}
        command = Command("web", (sys.executable, "-c", program), environment, directory)
        self.supervisor = Supervisor([command], lambda name, line: self.lines.append((name, line)))
        self.process = self.supervisor.processes["web"]

    def said(self, word: str) -> list[str]:
        return [line for _, line in self.lines if word in line]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[[str], Stage]]:
    stages: list[Stage] = []

    def build(program: str) -> Stage:
        stages.append(Stage(tmp_path, program))
        stages[-1].supervisor.start()
        return stages[-1]

    yield build
    for each in stages:
        each.supervisor.stop()


def wait_for(condition: Callable[[], object], said: list[tuple[str, str]], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, said
        time.sleep(0.02)


def test_a_killed_process_comes_back_and_its_lines_carry_its_name(stage: Callable[[str], Stage]) -> None:
    running = stage(SLEEPER)
    wait_for(lambda: running.said("up"), running.lines)
    first = running.process.pid
    running.process.kill()
    wait_for(lambda: len(running.said("up")) == 2, running.lines)
    assert running.process.pid not in {first, None}
    assert running.said("killed by SIGKILL; starting again")
    assert {name for name, _ in running.lines} == {"web"}
    assert running.supervisor.failure is None


def test_what_a_killed_process_left_behind_is_gone_before_it_comes_back(
    stage: Callable[[str], Stage],
) -> None:
    running = stage(PARENT)
    wait_for(lambda: running.said("child"), running.lines)
    orphan = int(running.said("child")[0].split()[1])
    assert not gone(orphan)
    running.process.kill()
    wait_for(lambda: len(running.said("child")) == 2, running.lines)
    assert gone(orphan)


def test_a_process_that_keeps_dying_ends_everything_with_one_sentence(
    stage: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedded.supervisor.LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(
        "embedded.supervisor.WITHIN", 30.0
    )  # a live shop elsewhere in this process sets it to none
    running = stage("import sys; print('wrong setting', flush=True); sys.exit(3)")
    wait_for(running.supervisor.failed.is_set, running.lines)
    assert running.process.starts == QUICK_DEATHS
    assert running.said("wrong setting") == ["wrong setting"] * QUICK_DEATHS
    assert running.supervisor.failure == (
        "The process `web` died 5 times within 30 seconds (ended with exit code 3): "
        "its last lines above say why."
    )


def test_a_process_that_is_stopped_stays_down_until_it_is_started(stage: Callable[[str], Stage]) -> None:
    running = stage(SLEEPER)
    wait_for(lambda: running.said("up"), running.lines)
    running.process.stop()
    assert running.process.pid is None
    time.sleep(0.5)
    assert running.process.pid is None
    running.process.start()
    wait_for(lambda: len(running.said("up")) == 2, running.lines)
    assert running.process.pid is not None


def test_stop_leaves_nothing_not_even_what_ignores_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedded.supervisor.STOP_GRACE", 0.3)
    running = Stage(tmp_path, STUBBORN)
    running.supervisor.start()
    wait_for(lambda: running.said("up"), running.lines)
    pid = running.process.pid
    assert pid is not None
    running.supervisor.stop()
    assert gone(pid)


def test_leftovers_of_a_killed_supervisor_are_found_by_their_mark_only(tmp_path: Path) -> None:
    ours, others = (
        subprocess.Popen(
            [sys.executable, "-c", SLEEPER], env={**os.environ, MARK: mark}, stdout=subprocess.PIPE
        )
        for mark in (str(tmp_path), str(tmp_path) + "-other")
    )
    try:
        for process in (ours, others):
            assert process.stdout is not None
            process.stdout.readline()
        assert kill_marked(str(tmp_path)) == 1
        assert gone(ours.pid)
        assert others.poll() is None
    finally:
        for process in (ours, others):
            process.kill()
            process.communicate()
