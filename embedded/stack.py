"""The whole shop as processes on this machine: for `make run`, and for crash and browser tests."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from embedded import services
from embedded.environment import keep
from embedded.errors import CannotStart
from embedded.postgres import Profile
from embedded.processes import MARK, kill_marked
from embedded.services import ROOT, Endpoints
from embedded.state import State, listening, locked
from embedded.supervisor import Command, Say, Supervised, Supervisor

READY_SECONDS = 60.0
# Everything that is told to a process about its surroundings; the rest of the environment is handed through.
PROCESSES: dict[str, tuple[str, ...]] = {
    "gateway": ("-m", "sandbox.gateway", "--port", "{gateway}", "--data", "{base}/sandbox"),
    "mailbox": (
        *("-m", "sandbox.mailbox", "--smtp-port", "{smtp}", "--http-port", "{mailbox}"),
        *("--data", "{base}/mailbox"),
    ),
    "web": ("-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "wsgi:app"),
    "worker": ("-m", "jobs.worker"),
    "relay": ("-m", "jobs.relay"),
    "scheduler": ("-m", "jobs.schedule"),
}


class Stack:
    """The shop below one base directory, on ports of its own.

    `port`: the shop's, or None for one that is picked once. `environ`: overrides for every process; an empty
    DATABASE_URL or REDIS_URL asks for an embedded server although this process has one.
    `seed`: put in the demo shop if the database is empty. `say(process, line)` takes each line of output."""

    def __init__(
        self,
        base: Path,
        *,
        profile: Profile,
        port: int | None = None,
        environ: Mapping[str, str] | None = None,
        seed: bool = True,
        say: Say,
    ) -> None:
        self.base = base.resolve()
        self._profile, self._port, self._seed, self._say = profile, port, seed, say
        self._given = {**os.environ, **(environ or {})}
        self._state = State(self.base)
        self._held = ExitStack()
        self._holding = False
        self._supervisor: Supervisor | None = None
        self.endpoints: Endpoints | None = None
        self.ports: dict[str, int] = {}

    @property
    def url(self) -> str:
        """Where the shop answers, without a slash at the end."""
        return self._local("web")

    @property
    def gateway_url(self) -> str:
        """Where the sandbox gateway answers; its root is the control page."""
        return self._local("gateway")

    @property
    def mailbox_url(self) -> str:
        """Where the mails that the shop sent can be read."""
        return self._local("mailbox")

    def process(self, name: str) -> Supervised:
        """One of PROCESSES: `.pid`, `.kill()` (comes back by itself), `.stop()` and `.start()`."""
        assert self._supervisor is not None
        return self._supervisor.processes[name]

    def start(self) -> None:
        """Bring everything up, until /readyz answers 200. Raises CannotStart, with nothing left behind."""
        busy = (
            f"The shop of {self.base} is already running: stop that one first (Ctrl-C where it was started)."
        )
        self._held.enter_context(locked(self.base, "run", busy=busy))
        self._holding = True
        try:
            kill_marked(str(self.base))
            self._pick_ports()
            self.endpoints = services.start(self.base, profile=self._profile, environ=self._given)
            environment = self._environment(self.endpoints)
            keep(self.base, environment | self.endpoints.environment())
            self._prepare_database(environment | self.endpoints.environment())
            self._supervisor = Supervisor(self._commands(environment), self._say)
            self._supervisor.start()
            self._wait_until_ready(self._supervisor)
            if self._seed:
                # The demo's orders are paid at the sandbox gateway: it has to be up.
                self._command(environment | self.endpoints.environment(), "demo", "seed")
        except BaseException:
            self.stop()
            raise

    def wait(self) -> None:
        """Block while everything runs. Raises CannotStart when a process cannot be kept alive."""
        assert self._supervisor is not None
        self._supervisor.failed.wait()
        raise CannotStart(self._supervisor.failure or "")

    def stop(self) -> None:
        """Stop all processes, the embedded servers last. Safe to repeat; nothing to do unless it was started."""
        if not self._holding:
            return
        if self._supervisor is not None:
            self._supervisor.stop()
        services.stop(self.base, profile=self._profile)
        self._held.close()
        self._holding = False

    def flask(self, *arguments: str) -> str:
        """Run a `flask` command as the owner of the database and return what it printed."""
        assert self.endpoints is not None
        environment = self._environment(self.endpoints) | self.endpoints.environment()
        return self._command(environment, *arguments)

    def _local(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def _pick_ports(self) -> None:
        for name in ("gateway", "smtp", "mailbox", "web"):
            if name == "web" and self._port is not None:
                if listening(self._port):
                    raise CannotStart(
                        f"Port {self._port} is taken by another program: stop it, or choose another port "
                        f"with `make run PORT={self._port + 1}`."
                    )
                self.ports[name] = self._port
                continue
            if listening(self._state.port(name)):
                self._state.forget_port(name)
            self.ports[name] = self._state.port(name)

    def _environment(self, endpoints: Endpoints) -> dict[str, str]:
        defaults = {
            "SHOP_ENV": "development",
            "SECRET_KEY": self._state.secret("SECRET_KEY"),
            "SANDBOX_GATEWAY_KEY": self._state.secret("SANDBOX_GATEWAY_KEY"),
            "SANDBOX_WEBHOOK_SECRET": self._state.secret("SANDBOX_WEBHOOK_SECRET"),
        }
        fixed = {
            "BASE_URL": self.url,
            "SANDBOX_GATEWAY_URL": self.gateway_url,
            "SANDBOX_WEBHOOK_URL": f"{self.url}/api/v1/webhooks/payments/sandbox",
            "MAIL_SERVER": "127.0.0.1",
            "MAIL_PORT": str(self.ports["smtp"]),
            "MAILBOX_URL": self.mailbox_url,
            "PORT": str(self.ports["web"]),
            "DATABASE_URL": endpoints.database_url,
            "REDIS_URL": endpoints.redis_url,
            "PYTHONUNBUFFERED": "1",
            MARK: str(self.base),
        }
        environment = {**defaults, **self._given, **fixed}
        environment.pop("DATABASE_OWNER_URL", None)
        return environment

    def _commands(self, environment: Mapping[str, str]) -> list[Command]:
        words = {"base": str(self.base), **{name: str(port) for name, port in self.ports.items()}}
        return [
            Command(
                name,
                (sys.executable, *(argument.format(**words) for argument in arguments)),
                {**environment, "SHOP_PROCESS": name},
                ROOT,
            )
            for name, arguments in PROCESSES.items()
        ]

    def _prepare_database(self, environment: Mapping[str, str]) -> None:
        self._command(environment, "db", "upgrade")

    def _command(self, environment: Mapping[str, str], *arguments: str) -> str:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        said: list[str] = []
        with subprocess.Popen(
            command, env={**environment, "SHOP_PROCESS": "setup"}, cwd=ROOT, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    said.append(line)
                    self._say("setup", line.rstrip("\n"))
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            last = said[-1].strip() if said else "no output"
            raise CannotStart(f"`flask {' '.join(arguments)}` failed: {last}")
        return "".join(said)

    def _wait_until_ready(self, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + READY_SECONDS
        answer = "no answer"
        while time.monotonic() < deadline:
            if supervisor.failed.wait(0.1):
                raise CannotStart(supervisor.failure or "")
            answer = self._readiness()
            if (
                answer.startswith("200 ")
                and listening(self.ports["gateway"])
                and listening(self.ports["mailbox"])
            ):
                return
        raise CannotStart(
            f"The shop did not become ready in {READY_SECONDS:.0f} s; /readyz last said: {answer}"
        )

    def _readiness(self) -> str:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.ports["web"], timeout=5)
            try:
                connection.request("GET", "/readyz")
                response = connection.getresponse()
                return f"{response.status} {response.read(300).decode(errors='replace')}"
            finally:
                connection.close()
        return "no answer"
