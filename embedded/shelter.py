"""Which operating system user runs PostgreSQL, and a place on disk that this user can reach.

PostgreSQL refuses to run as root, so root lends it the account `nobody`. `nobody` may be unable to enter the
project (below /root, say). Opening somebody's parent directories is not ours to do, so what it needs then
lives in a directory of root's below /var/tmp, named after the path that it stands for."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

from embedded.errors import CannotStart


def account() -> dict[str, Any]:
    """Keyword arguments of `subprocess` to run a command as PostgreSQL's user; empty unless we are root."""
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise CannotStart(
                f"PostgreSQL cannot run as user id {os.geteuid()}, which has no name on this machine: "
                "add one, or point DATABASE_URL at a server of your own."
            ) from None
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotStart(
            "PostgreSQL does not run as root and there is no user `nobody` to run it: "
            "start as an ordinary user, or point DATABASE_URL at a server of your own."
        ) from None
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give(path: Path, owner: dict[str, Any]) -> None:
    """Hand a file or directory to PostgreSQL's user."""
    if owner:
        os.chown(path, owner["user"], owner["group"])


def reachable(path: Path, owner: dict[str, Any]) -> bool:
    """Whether PostgreSQL's user can enter the directory `path`."""
    if not owner:
        return True
    return (
        subprocess.run(
            ["/bin/sh", "-c", 'cd "$1"', "sh", str(path)], capture_output=True, cwd="/", **owner
        ).returncode
        == 0
    )


_ROOM = Path("/var/tmp")  # noqa: S108 - open_place refuses what is not our own


def place_for(path: Path) -> Path:
    """The stand-in below /var/tmp for `path` (which may not exist yet)."""
    return _ROOM / f"miles-plus-cash-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"


def open_place(path: Path) -> Path:
    """Create `place_for(path)`. Anybody can write to /var/tmp, so one that is not root's own is refused."""
    place = place_for(path)
    place.mkdir(mode=0o755, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise CannotStart(
            f"{place} belongs to somebody else: remove it, or point DATABASE_URL at a server of your own."
        )
    return place


def readable_copy(package: Path, parts: tuple[str, ...]) -> Path:
    """Copy `parts` of `package` to where PostgreSQL's user can read them; return the copy's root.

    The copy becomes visible complete or not at all: a start killed half-way leaves no broken one."""
    done = open_place(package) / "copy"
    if done.exists():
        return done
    draft = done.with_name(f"draft-{os.getpid()}")
    for part in parts:
        if (package / part).exists():
            ignore = shutil.ignore_patterns("include", "*.a", "pgxs", "__pycache__")
            shutil.copytree(package / part, draft / part, symlinks=True, ignore=ignore)
    for item in [draft, *draft.rglob("*")]:
        if not item.is_symlink():
            item.chmod(
                item.stat().st_mode | (0o055 if item.is_dir() or item.stat().st_mode & 0o100 else 0o044)
            )
    draft.rename(done)
    return done


def discard(path: Path) -> bool:
    """Delete the stand-in of `path`; False when there was none."""
    place = place_for(path)
    if not place.exists():
        return False
    shutil.rmtree(place)
    return True
