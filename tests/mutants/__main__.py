"""Plant each bug in a copy of the project and run the test that has to catch it.

`python -m tests.mutants [NAME…]`. Exit code 1 when a bug survives, or when a test is red without any.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from embedded import services
from tests.mutants.catalogue import MUTANTS, Mutant
from tests.mutants.first_slice import FIRST_SLICE

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache", "node_modules")


def main(wanted: list[str]) -> int:
    known = (*MUTANTS, *FIRST_SLICE)
    chosen = [mutant for mutant in known if not wanted or mutant.name in wanted]
    if unknown := set(wanted) - {mutant.name for mutant in known}:
        print(f"no mutant is called {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        copy = Path(place) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        try:
            survivors = [mutant for mutant in chosen if not _killed(mutant, copy)]
        finally:
            services.stop(copy / "var" / "test", profile="test")
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} killed")
    return 1 if survivors else 0


def _killed(mutant: Mutant, copy: Path) -> bool:
    """Green without the bug, red with it; the files are as before afterwards."""
    started = time.monotonic()
    before = {edit.path: (copy / edit.path).read_text(encoding="utf-8") for edit in mutant.edits}
    for edit in mutant.edits:
        if before[edit.path].count(edit.old) != 1:
            print(
                f"{mutant.name}: STALE, its text is {before[edit.path].count(edit.old)} times in {edit.path}"
            )
            return False
    clean = _run(mutant.test, copy)
    for edit in mutant.edits:
        file = copy / edit.path
        file.write_text(file.read_text(encoding="utf-8").replace(edit.old, edit.new), encoding="utf-8")
    try:
        broken = _run(mutant.test, copy)
    finally:
        for path, text in before.items():
            (copy / path).write_text(text, encoding="utf-8")
    killed = clean == 0 and broken == 1
    verdict = "killed" if killed else "RED WITHOUT IT" if clean else "SURVIVED"
    print(
        f"{mutant.name}: {verdict} in {time.monotonic() - started:.0f} s: {mutant.what} ({mutant.test})",
        flush=True,
    )
    return killed


def _run(test: str, copy: Path) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", test]
    return subprocess.run(command, cwd=copy, capture_output=True, timeout=600).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
