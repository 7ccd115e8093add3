"""Gunicorn for the shop: `gunicorn -c deploy/gunicorn.conf.py wsgi:app`."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"

# Threads, because a card payment waits for the gateway for seconds; two processes, because of the interpreter
# lock. DATABASE_POOL_SIZE (10) must stay at or above the threads of one process.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))

# Longer than the 25 s that the longest request, a charge, may take: a restart cuts no order in half.
timeout = 60
graceful_timeout = 30
keepalive = 5

# Each worker loads the app by itself: a connection opened before the fork would be shared by all of them.
preload_app = False

# On by default, at one path for every gunicorn of the same user: a second one would take it over.
control_socket_disable = True

# The shop writes its own structured line for each request.
accesslog = None
errorlog = "-"
loglevel = os.environ.get("LOG_LEVEL", "info").lower()

# Each worker process counts for itself, in files that /metrics adds up; set before any worker loads the app.
_metrics = os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="shop-metrics-"))


def child_exit(_server: Any, worker: Any) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(_server: Any) -> None:
    shutil.rmtree(_metrics, ignore_errors=True)
