"""The running shop's environment for a shell: `eval "$(python -m embedded.environment)"`, then `flask …`."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from embedded.services import BASES

FILE = "environment.json"
TOLD = (
    "SHOP_",
    "SECRET_KEY",
    "SANDBOX_",
    "BASE_URL",
    "MAIL",
    "PORT",
    "DATABASE_",
    "REDIS_URL",
    "RATE_LIMITS",
)


def keep(base: Path, environment: Mapping[str, str]) -> None:
    """Write what the processes below `base` were told; it holds passwords, so nobody else may read it."""
    told = {name: value for name, value in environment.items() if name.startswith(TOLD)}
    with open(os.open(base / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({**told, "FLASK_APP": "wsgi.py"}, file, indent=1)


def main() -> int:
    path = BASES["run"] / FILE
    if not path.exists():
        print("The shop has not been started here yet: `make run` first.", file=sys.stderr)
        return 1
    for name, value in json.loads(path.read_text()).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
