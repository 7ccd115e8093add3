"""What the bootstrap and `make run` say when something is missing or in the way: one sentence."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from embedded import bootstrap
from embedded.redis import Redis
from embedded.services import ROOT
from embedded.state import locked


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project that the bootstrap takes for its own."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    for name in (bootstrap.RUNTIME, bootstrap.DEVELOPMENT):
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def _fake_python(path: Path, version: str) -> None:
    """A program that answers to `-c` like a Python of that version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.version_info = {version}\nsys.version = 'fake {version}'\n"
        "exec(sys.argv[2])\n"
    )
    path.chmod(0o755)


def _make_run(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make run` after the bootstrap, in a project directory of its own."""
    shutil.copytree(ROOT / "embedded", tmp_path / "embedded", ignore=shutil.ignore_patterns("__pycache__"))
    return subprocess.run(
        [sys.executable, "-m", "embedded.run"],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_no_python_new_enough_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fake_python(project / "bin" / "python3", "(3, 8, 10)")
    monkeypatch.setenv("PATH", str(project / "bin"))
    monkeypatch.setattr(sys, "executable", str(project / "bin" / "python3"))
    monkeypatch.setattr(sys, "version_info", (3, 8, 10, "final", 0))
    assert bootstrap.main(["run"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Python 3.11 or newer is needed and only Python 3.8 was found: install it")
    assert said.count("\n") == 1
    assert not (project / ".venv").exists()


def test_a_newer_python_on_the_path_is_preferred_to_the_old_one_that_runs(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_python(project / "bin" / "python3", "(3, 8, 10)")
    _fake_python(project / "bin" / "python3.12", "(3, 12, 1)")
    (project / "bin" / "python3.11").write_text(
        "#!/bin/sh\nexit 127\n"
    )  # a shim for a version that is not there
    (project / "bin" / "python3.11").chmod(0o755)
    monkeypatch.setenv("PATH", str(project / "bin"))
    monkeypatch.setattr(sys, "executable", str(project / "bin" / "python3"))
    assert bootstrap.find_python() == project / "bin" / "python3.12"


def test_the_bootstrap_can_be_read_by_python_3_8() -> None:
    import ast

    source = (ROOT / "embedded" / "bootstrap.py").read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"__future__", "hashlib", "os", "pathlib", "shutil", "subprocess", "sys"}


def test_a_nearly_full_disk_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: usage(10**10, 10**10, 120 * 10**6))
    assert bootstrap.main(["run"]) == 1
    said = capsys.readouterr().err
    assert said == f"Only 120 MB are free on the disk of {project} and 300 are needed: free some.\n"


def test_a_disk_that_cannot_be_written_to_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", project / "not-there")
    with pytest.raises(
        bootstrap.Missing, match=r"Cannot write to .*not-there .No such file or directory.: free"
    ):
        bootstrap.check_disk(1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("output", "meaning"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk is full",
        ),
        ("error: command 'gcc' failed: No such file or directory", "did not compile"),
        ("unable to execute 'cc': No such file or directory", "there is no C compiler"),
        ("NewConnectionError: Failed to establish a new connection", "cannot be reached"),
        ("ERROR: No matching distribution found for flask==99", "no fitting release"),
        ("ERROR: something new", "ERROR: something new"),
        ("", "pip failed"),
    ],
)
def test_what_pip_says_becomes_one_sentence(output: str, meaning: str) -> None:
    said = bootstrap.explain("Collecting flask\n" + output + "\n")
    assert said.startswith("Could not install the requirements: ")
    assert meaning in said
    assert "\n" not in said


def test_installing_is_skipped_only_while_the_pins_and_the_python_are_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_python(bootstrap.PYTHON, "(3, 11, 7)")
    calls: list[list[str]] = []
    real = subprocess.call

    def call(command: list[str], **options: object) -> int:
        if "pip" not in command:
            return real(command, **options)  # type: ignore[arg-type]
        calls.append(command)
        return 0

    monkeypatch.setattr(bootstrap.subprocess, "call", call)
    bootstrap.set_up(bootstrap.DEVELOPMENT)
    bootstrap.set_up(bootstrap.DEVELOPMENT)
    bootstrap.set_up(bootstrap.RUNTIME)  # the development set holds it
    assert len(calls) == 1
    (project / bootstrap.RUNTIME).write_text("flask==1\n")
    bootstrap.set_up(bootstrap.RUNTIME)
    bootstrap.set_up(bootstrap.DEVELOPMENT)
    assert len(calls) == 3
    _fake_python(bootstrap.PYTHON, "(3, 12, 0)")
    bootstrap.set_up(bootstrap.RUNTIME)
    assert len(calls) == 4


def test_an_unknown_target_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["rum"]) == 2
    assert capsys.readouterr().err.startswith("usage: python3 -m embedded.bootstrap run|test")


def test_a_taken_port_is_one_sentence_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        done = _make_run(tmp_path, PORT=str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"Port {port} is taken by another program: stop it, or choose another port "
        f"with `make run PORT={port + 1}`.\n"
    )
    assert not (tmp_path / "var" / "postgres").exists()


def test_a_port_that_is_no_port_is_one_sentence(tmp_path: Path) -> None:
    done = _make_run(tmp_path, PORT="http")
    assert (done.returncode, done.stderr) == (1, "PORT is 'http'; it must be a number from 1 to 65535.\n")


def test_a_second_run_is_one_sentence_and_leaves_the_first_alone(tmp_path: Path) -> None:
    server = Redis(tmp_path / "var")
    server.start()
    try:
        with locked(tmp_path / "var", "run"):
            done = _make_run(tmp_path)
        assert server.answers()
    finally:
        server.stop()
    assert done.returncode == 1
    assert done.stderr == (
        f"The shop of {tmp_path / 'var'} is already running: "
        "stop that one first (Ctrl-C where it was started).\n"
    )
