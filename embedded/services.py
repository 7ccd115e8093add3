"""PostgreSQL and Redis for one base directory: `python -m embedded.services start|stop|status`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import CannotStart
from embedded.postgres import Postgres, Profile
from embedded.redis import Redis
from embedded.state import prepare

ROOT = Path(__file__).resolve().parents[1]
BASES: dict[Profile, Path] = {"run": ROOT / "var", "test": ROOT / "var" / "test"}


@dataclass(frozen=True)
class Endpoints:
    """Where the services answer. `database_url` is the web role's, `database_owner_url` the migrations'."""

    database_url: str
    database_owner_url: str
    redis_url: str

    def environment(self) -> dict[str, str]:
        """The same as environment variables for commands that may change the schema."""
        return {
            "DATABASE_URL": self.database_url,
            "DATABASE_OWNER_URL": self.database_owner_url,
            "REDIS_URL": self.redis_url,
        }


def start(base: Path, *, profile: Profile, environ: Mapping[str, str] = os.environ) -> Endpoints:
    """Make PostgreSQL and Redis answer, each unless DATABASE_URL or REDIS_URL names a server of one's own.

    Safe to repeat and to call from several processes at once. Raises CannotStart."""
    base = base.resolve()
    prepare(base)
    database_url = environ.get("DATABASE_URL", "")
    owner_url = environ.get("DATABASE_OWNER_URL") or database_url
    redis_url = environ.get("REDIS_URL", "")
    if not database_url:
        postgres = Postgres(base, profile)
        postgres.start()
        database_url, owner_url = postgres.url, postgres.owner_url
    if not redis_url:
        redis = Redis(base, profile)
        redis.start()
        redis_url = redis.url
    return Endpoints(database_url, owner_url, redis_url)


def stop(base: Path, *, profile: Profile) -> list[str]:
    """Stop what `start` started below `base`; the names of what was running."""
    base = base.resolve()
    stopped = []
    if (base / "redis").exists() and Redis(base, profile).stop():
        stopped.append("Redis")
    if Postgres.present(base) and Postgres(base, profile).stop():
        stopped.append("PostgreSQL")
    return stopped


def status(base: Path, *, profile: Profile) -> dict[str, bool]:
    """Which of our servers answer."""
    base = base.resolve()
    return {
        "PostgreSQL": Postgres.present(base) and Postgres(base, profile).answers(),
        "Redis": Redis(base, profile).answers(),
    }


def main() -> int:
    """The command line; 1 when something is missing, and for `status` when something is down."""
    parser = argparse.ArgumentParser(prog="python -m embedded.services", description=__doc__)
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("--profile", choices=["run", "test"], default="run")
    parser.add_argument(
        "--base", type=Path, help="where the data lives (var, or var/test for the test profile)"
    )
    options = parser.parse_args()
    base = options.base or BASES[options.profile]
    try:
        if options.command == "start":
            for name, value in start(base, profile=options.profile).environment().items():
                print(f"{name}={value}")
        elif options.command == "stop":
            print("stopped: " + (", ".join(stop(base, profile=options.profile)) or "nothing was running"))
        else:
            found = status(base, profile=options.profile)
            print("\n".join(f"{name}: {'up' if up else 'down'}" for name, up in found.items()))
            return 0 if all(found.values()) else 1
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
