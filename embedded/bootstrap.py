"""`python3 -m embedded.bootstrap TARGET`: what make calls. Sets up .venv, then runs the target in it.

Standard library only, and in words that Python 3.8 understands: an old Python must still be able to say what
is missing."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NEEDED = (3, 11)
CANDIDATES = ("python3.11", "python3.12", "python3.13", "python3", "python")
INSTALL_MB, RUN_MB = 1500, 300
RUNTIME, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"
TARGETS = {
    "run": (RUNTIME, ["embedded.run"]),
    "test": (DEVELOPMENT, ["embedded.suite", "test"]),
    "check": (DEVELOPMENT, ["embedded.suite", "check"]),
    "test-browser": (DEVELOPMENT, ["embedded.suite", "test-browser"]),
    "bench": (DEVELOPMENT, ["bench"]),
    "simulate": (DEVELOPMENT, ["tests.simulation"]),
    "mutants": (DEVELOPMENT, ["tests.mutants"]),
    "reset": (None, ["embedded.reset"]),
}
# What pip says, and what it means for the person at the terminal; the first match wins.
PIP_TROUBLES = (
    ("No space left on device", "the disk is full: free 2 GB and try again"),
    ("Permission denied", "this user may not write to .venv: make the project directory yours"),
    ("command 'gcc' failed", "a package without a wheel for this machine did not compile"),
    ("command 'cc' failed", "a package without a wheel for this machine did not compile"),
    (
        "No such file or directory: 'gcc'",
        "a package has no wheel for this machine and there is no C compiler",
    ),
    ("No such file or directory: 'cc'", "a package has no wheel for this machine and there is no C compiler"),
    ("unable to execute", "a package has no wheel for this machine and there is no C compiler: install gcc"),
    ("Failed building wheel", "a package has no wheel for this machine and could not be built: install gcc"),
    ("Failed to build", "a package has no wheel for this machine and could not be built: install gcc"),
    ("NewConnectionError", "the package index cannot be reached: check the network or pip's index-url"),
    ("NameResolutionError", "the package index cannot be reached: check the network or pip's index-url"),
    ("ConnectTimeoutError", "the package index cannot be reached: check the network or pip's index-url"),
    ("No matching distribution", "the package index has no fitting release"),
)


class Missing(Exception):
    """One sentence about what this machine lacks."""


def main(arguments: list[str]) -> int:  # noqa: RET503 - execv does not return
    """Run one target; returns only when that could not be done."""
    if len(arguments) != 1 or arguments[0] not in TARGETS:
        print("usage: python3 -m embedded.bootstrap " + "|".join(TARGETS), file=sys.stderr)
        return 2
    target = arguments[0]
    requirements, module = TARGETS[target]
    os.chdir(str(ROOT))
    try:
        if requirements is not None:
            set_up(requirements)
        elif not usable():
            shutil.rmtree("var", ignore_errors=True)
            print("Nothing was set up here, so nothing runs; removed var/.")
            return 0
    except Missing as problem:
        print(problem, file=sys.stderr)
        return 1
    os.execv(str(PYTHON), [str(PYTHON), "-m", *module])  # noqa: S606 - there is no shell in it


def set_up(requirements: str) -> None:
    """Make .venv hold what `requirements` pins; nothing to do when its stamp says so. Raises Missing."""
    check_disk(RUN_MB)
    if installed(requirements):
        return
    check_disk(INSTALL_MB)
    if not works(PYTHON):
        make_venv(find_python())
    print(f"Installing {requirements} into .venv (once; about a minute) ...", flush=True)
    log = ROOT / ".venv" / "install.log"
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    with open(str(log), "w") as file:
        code = subprocess.call(
            [*command, "-r", str(ROOT / requirements)], stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    if code:
        raise Missing(f"{explain(log.read_text(errors='replace'))} (whole log: {log})")
    for name in {requirements, RUNTIME}:
        stamp(name).write_text(fingerprint(name))


def explain(output: str) -> str:
    """The sentence for a failed pip run."""
    for sign, meaning in PIP_TROUBLES:
        if sign in output:
            culprit = next((line for line in output.splitlines() if sign in line), "").strip()
            return f"Could not install the requirements: {meaning} [{culprit[:160]}]"
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    return "Could not install the requirements: " + (errors[0] if errors else "pip failed")


def fingerprint(requirements: str) -> str:
    """What the stamp must say: the pinned text and the Python that it was installed for."""
    version = subprocess.check_output([str(PYTHON), "-c", "import sys; print(sys.version)"])
    texts = [(ROOT / name).read_bytes() for name in sorted({requirements, RUNTIME})]
    return hashlib.sha256(b"\0".join([*texts, version, str(VENV).encode()])).hexdigest()


def stamp(requirements: str) -> Path:
    """The file that remembers a finished installation."""
    return VENV / (".installed-" + requirements)


def installed(requirements: str) -> bool:
    """Whether .venv works and holds what is pinned now."""
    return (
        works(PYTHON)
        and stamp(requirements).exists()
        and stamp(requirements).read_text() == fingerprint(requirements)
    )


def usable() -> bool:
    """Whether .venv can run what stops the servers, be it up to date or not."""
    return works(PYTHON) and subprocess.call([str(PYTHON), "-c", "import psutil, psycopg, redis"]) == 0


def works(python: Path) -> bool:
    """Whether this is a Python new enough, that runs (a shim or a link to a removed Python does not)."""
    test = "import sys; sys.exit(sys.version_info < " + str(NEEDED) + ")"
    try:
        return (
            subprocess.call([str(python), "-c", test], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            == 0
        )
    except OSError:
        return False


def find_python() -> Path:
    """A Python of 3.11 or newer: this one, or one on the PATH. Raises Missing."""
    found = [sys.executable] + [shutil.which(name) for name in CANDIDATES]
    for candidate in found:
        if candidate and works(Path(candidate)):
            return Path(candidate)
    mine = ".".join(map(str, sys.version_info[:2]))
    raise Missing(
        f"Python 3.11 or newer is needed and only Python {mine} was found: "
        "install it (Debian, Ubuntu: apt-get install python3.11 python3.11-venv; elsewhere: https://www.python.org/downloads/)."
    )


def make_venv(python: Path) -> None:
    """Create .venv; by way of virtualenv where Python comes without ensurepip (Debian). Raises Missing."""
    shutil.rmtree(str(VENV), ignore_errors=True)
    made = subprocess.run(
        [str(python), "-m", "venv", str(VENV)], stdin=subprocess.DEVNULL, capture_output=True
    )
    if made.returncode == 0:
        return
    shutil.rmtree(str(VENV), ignore_errors=True)
    boot = ROOT / ".boot"
    pip = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
        str(boot),
    ]
    subprocess.run([*pip, "virtualenv"], stdin=subprocess.DEVNULL, capture_output=True)
    environment = dict(os.environ, PYTHONPATH=str(boot))
    again = subprocess.run([str(python), "-m", "virtualenv", str(VENV)], env=environment, capture_output=True)
    shutil.rmtree(str(boot), ignore_errors=True)
    if again.returncode:
        raise Missing(
            str(python) + " can make no virtual environment: install its venv module "
            "(Debian, Ubuntu: apt-get install python3-venv) and try again."
        )


def check_disk(megabytes: int) -> None:
    """Raises Missing when the project's disk is nearly full or cannot be written to."""
    probe = ROOT / ".write-probe"
    try:
        probe.write_bytes(b"x" * 65536)
    except OSError as error:
        raise Missing(
            f"Cannot write to {ROOT} ({error.strerror}): free some space or fix its permissions."
        ) from error
    finally:
        if probe.exists():
            probe.unlink()
    free = shutil.disk_usage(str(ROOT)).free // 1000000
    if free < megabytes:
        raise Missing(f"Only {free} MB are free on the disk of {ROOT} and {megabytes} are needed: free some.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
