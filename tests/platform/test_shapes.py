"""A process that has just begun, and reads its first bodies in several threads at once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ENVIRONMENT, ROOT

SETTINGS = {
    **ENVIRONMENT,
    "DATABASE_URL": "postgresql://shop@127.0.0.1/shop",
    "REDIS_URL": "redis://127.0.0.1/0",
    "STRIPE_SECRET_KEY": "sk_test_0123456789abcdef",
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef",
}

AT_ONCE = """
import gc
import sys
import threading

import msgspec

from app import create_app

create_app()

from app.rewards.rules import Rules

shapes = [msgspec.Struct]
for shape in shapes:
    shapes += shape.__subclasses__()
shapes = [one for one in shapes if one.__module__.startswith("app.")]
assert len(shapes) > 50
for shape in shapes:
    assert "StructInfo" in {type(one).__name__ for one in gc.get_referents(shape)}, shape
body = msgspec.to_builtins(Rules())
threads = 8
barrier = threading.Barrier(threads)
read = []


def run():
    barrier.wait()
    read.append(msgspec.convert(body, Rules))


sys.setswitchinterval(1e-6)
running = [threading.Thread(target=run) for _ in range(threads)]
for thread in running:
    thread.start()
for thread in running:
    thread.join()
assert read == [Rules()] * threads
"""


@pytest.mark.parametrize("gateway", ["sandbox", "stripe"])
def test_first_bodies_read_at_once_do_not_end_the_process(gateway: str) -> None:
    settings = {**os.environ, **SETTINGS, "PAYMENT_GATEWAY": gateway}
    command = [sys.executable, "-c", AT_ONCE]
    done = subprocess.run(
        command, env=settings, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
