"""`python -m sandbox.gateway`: the sandbox payment gateway as a process, on 127.0.0.1 only."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

from sandbox.gateway.app import create_app
from sandbox.gateway.bank import Bank
from sandbox.gateway.store import Store
from sandbox.server import serve


def arguments() -> argparse.Namespace:
    env = os.environ
    parser = argparse.ArgumentParser(prog="python -m sandbox.gateway", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0: a free one, printed")
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps the state")
    parser.add_argument("--seed", help="makes ids and random faults repeatable; kept in the folder")
    parser.add_argument("--key", default=env.get("SANDBOX_GATEWAY_KEY"), help="API key (SANDBOX_GATEWAY_KEY)")
    parser.add_argument(
        "--webhook-secret",
        default=env.get("SANDBOX_WEBHOOK_SECRET"),
        help="SANDBOX_WEBHOOK_SECRET; two, separated by a comma, while one replaces the other",
    )
    parser.add_argument(
        "--webhook-url", default=env.get("SANDBOX_WEBHOOK_URL", ""), help="SANDBOX_WEBHOOK_URL"
    )
    parser.add_argument(
        "--public-url", default="", help="where browsers reach the hosted pages; default: as called"
    )
    return parser.parse_args()


def seed_of(folder: Path, wanted: str | None) -> str:
    """The seed given, else the one that this folder began with, else a new one."""
    path = folder / "seed"
    folder.mkdir(parents=True, exist_ok=True)
    if wanted is None and path.exists():
        return path.read_text().strip()
    seed = wanted if wanted is not None else secrets.token_hex(8)
    path.write_text(seed)
    return seed


def main() -> None:
    given = arguments()
    if not given.key or not given.webhook_secret:
        sys.exit("sandbox gateway: set SANDBOX_GATEWAY_KEY and SANDBOX_WEBHOOK_SECRET (or the flags)")
    bank = Bank(
        Store(given.data, seed_of(given.data, given.seed)),
        key=given.key,
        webhook_url=given.webhook_url,
        webhook_secrets=[secret for secret in given.webhook_secret.split(",") if secret],
        public_url=given.public_url.rstrip("/"),
    )
    serve(create_app(bank), given.port, "sandbox gateway", on_bound=bank.delivery.start)


main()
