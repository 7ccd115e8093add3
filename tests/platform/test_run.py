"""`make run` as a person at a terminal meets it, around a stand-in for the shop."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from embedded import services
from embedded.processes import MARK, gone
from embedded.services import ROOT
from embedded.state import State, holder

WSGI = """
import os
import psycopg
from flask import Flask
from flask.cli import AppGroup

app = Flask("stand-in")

def ask(name, statement):
    with psycopg.connect(os.environ[name].replace("+psycopg", "")) as connection:
        return connection.execute(statement)

@app.get("/readyz")
def readyz():
    ask("DATABASE_URL", "SELECT 1")
    return {"owner": "DATABASE_OWNER_URL" in os.environ, "process": os.environ["SHOP_PROCESS"]}

db, demo = AppGroup("db"), AppGroup("demo")

@db.command()
def upgrade():
    ask("DATABASE_OWNER_URL", "CREATE TABLE IF NOT EXISTS stand_in (id int)")
    print("upgraded")

@demo.command()
def seed():
    print("seeded")

app.cli.add_command(db)
app.cli.add_command(demo)
"""
JOB = "import time; print('up', flush=True); time.sleep(600)\n"


class Launched:
    """One `make run`, and what it printed."""

    def __init__(self, project: Path, port: int) -> None:
        self.log = project / "output"
        with open(self.log, "w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "embedded.run"],
                cwd=project,
                env={**os.environ, "PORT": str(port), "DATABASE_URL": "", "REDIS_URL": ""},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> str:
        return self.wait_until_said("Stop, start over")

    def wait_until_said(self, words: str) -> str:
        deadline = time.monotonic() + 120
        while words not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return self.log.read_text()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project directory with the real launcher and sandbox, and a stand-in for the shop."""
    project = tmp_path_factory.mktemp("a project").resolve()
    for name in ("embedded", "sandbox", "deploy"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "wsgi.py").write_text(WSGI)
    (project / "jobs").mkdir()
    for name in ("__init__", "worker", "relay", "schedule"):
        (project / "jobs" / f"{name}.py").write_text("" if name == "__init__" else JOB)
    yield project
    subprocess.run([sys.executable, "-m", "embedded.reset"], cwd=project, check=True, capture_output=True)


def _get(port: int) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _eventually_ready(port: int) -> tuple[int, str]:
    deadline = time.monotonic() + 60
    while True:
        with suppress(OSError):
            return _get(port)
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _members(base: Path) -> dict[int, str]:
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            if environment.get(MARK) == str(base):
                found[process.pid] = environment["SHOP_PROCESS"]
    return found


def test_one_command_starts_everything_survives_kill_9_and_stops_everything(project: Path) -> None:
    base, port = project / "var", State(project / "var").port("chosen by the test")
    first = Launched(project, port)
    said = first.wait_until_ready()
    for line in (
        "setup     | upgraded",
        "setup     | seeded",
        f"http://127.0.0.1:{port}/api/docs",
    ):
        assert line in said
    first.wait_until_said("worker    | up")
    assert set(_members(base).values()) == {"gateway", "mailbox", "web", "worker", "relay", "scheduler"}
    assert _get(port) == (200, '{"owner":false,"process":"web"}\n')

    # one process dies: it comes back by itself
    web = min(pid for pid, name in _members(base).items() if name == "web")
    os.kill(web, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not re.search(r"web +\| killed by SIGKILL; starting again", first.log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert _eventually_ready(port)[0] == 200

    # the launcher itself dies: the next one cleans up after it, and finds the data
    first.process.kill()
    first.process.wait()
    orphans = set(_members(base))
    assert orphans
    second = Launched(project, port)
    second.wait_until_ready()
    assert all(map(gone, orphans))
    assert _get(port)[0] == 200

    # Ctrl-C: nothing is left, and it is no failure
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(60) == 0
    assert _members(base) == {}
    assert holder(base, "run") is None
    done = subprocess.run(
        [sys.executable, "-m", "embedded.services", "status"], cwd=project, capture_output=True, text=True
    )
    assert done.stdout == "PostgreSQL: down\nRedis: down\n"


def test_reset_stops_a_running_shop_and_deletes_its_data(project: Path) -> None:
    base, port = project / "var", State(project / "var").port("chosen by the test")
    running = Launched(project, port)
    running.wait_until_ready()
    done = subprocess.run(
        [sys.executable, "-m", "embedded.reset"], cwd=project, capture_output=True, text=True, check=True
    )
    assert f"Stopped `make run` (process {running.process.pid})." in done.stdout
    assert done.stdout.endswith("Clean: the next `make run` starts from nothing.\n")
    assert running.process.wait(60) == 0
    assert _members(base) == {}
    assert not base.exists()


def test_a_database_that_cannot_be_prepared_is_one_sentence_and_stops_what_was_started(project: Path) -> None:
    (project / "wsgi.py").write_text(WSGI + "\nraise SystemExit('SECRET_KEY is not good enough.')\n")
    try:
        running = Launched(project, State(project / "var").port("chosen by the test"))
        assert running.process.wait(60) == 1
    finally:
        (project / "wsgi.py").write_text(WSGI)
    assert running.log.read_text().splitlines()[-1] == (
        "`flask db upgrade` failed: SECRET_KEY is not good enough."
    )
    assert services.status(project / "var", profile="run") == {"PostgreSQL": False, "Redis": False}
