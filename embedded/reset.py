"""`make reset`: stop what was started here and delete its data."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from embedded import services, shelter
from embedded.errors import CannotStart
from embedded.processes import kill_marked
from embedded.services import BASES
from embedded.state import holder

PATIENCE = 60.0


def main() -> int:
    """Says what it did; 1 with one sentence when something could not be stopped or deleted."""
    try:
        for profile, base in reversed(BASES.items()):
            _stop_supervisor(base)
            if count := kill_marked(str(base.resolve())):
                print(f"Ended {count} processes that a killed `make run` had left.")
            for name in services.stop(base, profile=profile):
                print(f"Stopped {name} of {base}.")
            _delete(shelter.place_for(base.resolve()))
        _delete(BASES["run"])
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    print("Clean: the next `make run` starts from nothing.")
    return 0


def _stop_supervisor(base: Path) -> None:
    if not (pid := holder(base, "run")):
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while holder(base, "run"):
        if time.monotonic() > deadline:
            raise CannotStart(
                f"`make run` (process {pid}) does not stop: end it, then run `make reset` again."
            )
        time.sleep(0.1)
    print(f"Stopped `make run` (process {pid}).")


def _delete(path: Path) -> None:
    if not path.exists():
        return
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise CannotStart(
            f"Cannot delete {path} ({error.strerror}): fix its permissions or delete it."
        ) from error
    print(f"Deleted {path}.")


if __name__ == "__main__":
    sys.exit(main())
