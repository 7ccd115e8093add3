"""Small facts about a base directory that outlive a process: ports picked once, secrets made once."""

from __future__ import annotations

import fcntl
import json
import os
import random
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedded.errors import CannotStart

# Below the ranges that Linux (32768) and macOS (49152) hand out to outgoing connections: a server
# that is being restarted must find its port still free.
PORTS = range(20000, 32000)


@contextmanager
def locked(base: Path, name: str, *, busy: str | None = None) -> Iterator[None]:
    """Hold the advisory lock `base/<name>.lock`; waits for it, or with `busy` raises CannotStart(busy).

    The kernel drops it with the process: a kill -9 leaves nothing to clean up. The file holds the pid."""
    prepare(base)
    with open(base / f"{name}.lock", "a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise CannotStart(busy or "") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(base: Path, name: str) -> int | None:
    """The pid that holds `base/<name>.lock` now, or None when nobody does."""
    try:
        with open(base / f"{name}.lock", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
    except FileNotFoundError:
        pass
    return None


def prepare(base: Path) -> None:
    """Make the base directory; CannotStart when this user cannot write there."""
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(
            f"Cannot write to {base} ({error.strerror}): free some space or fix its permissions."
        ) from error
    if not os.access(base, os.W_OK | os.X_OK):
        raise CannotStart(f"Cannot write to {base} (permission denied): make it yours, or delete it.")


def listening(port: int) -> bool:
    """Whether anything accepts TCP connections on 127.0.0.1:port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class State:
    """`base/state.json`, mode 0600: {"ports": {name: int}, "secrets": {name: str}}."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._file = base / "state.json"

    def port(self, name: str) -> int:
        """The port of `name`, picked among the free ones the first time."""
        return self._keep("ports", name, lambda ports: _free_port(set(ports.values())))

    def forget_port(self, name: str) -> None:
        """Let the next `port(name)` pick again: a stranger listens on the old one."""
        with locked(self._base, "state"):
            content = self._read()
            content["ports"].pop(name, None)
            self._write(content)

    def secret(self, name: str) -> str:
        """The secret of `name` (URL-safe), made the first time."""
        return self._keep("secrets", name, lambda _: secrets.token_urlsafe(32))

    def knows_secret(self, name: str) -> bool:
        """Whether that secret was made before."""
        with locked(self._base, "state"):
            return name in self._read()["secrets"]

    def _keep(self, kind: str, name: str, make: Any) -> Any:
        with locked(self._base, "state"):
            content = self._read()
            if name not in content[kind]:
                content[kind][name] = make(content[kind])
                self._write(content)
            return content[kind][name]

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            return {"ports": {}, "secrets": {}, **json.loads(self._file.read_text())}
        except FileNotFoundError:
            return {"ports": {}, "secrets": {}}

    def _write(self, content: dict[str, Any]) -> None:
        draft = self._file.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(content, indent=1))
        draft.replace(self._file)


def _free_port(taken: set[int]) -> int:
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in taken:
            return port
    raise CannotStart(
        f"No free TCP port between {PORTS.start} and {PORTS.stop} on 127.0.0.1: close some programs."
    )
