"""`python -m jobs.worker`: one child process a queue, kept alive. `python -m jobs.worker QUEUE`: that one alone.

Jobs run in the worker's own process (RQ's SimpleWorker): a fork for each was five times slower or worse, and would
share open database and gateway connections. What a killed worker had begun is due again when its successor starts.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

import structlog
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from app.kernel.database import run_atomically
from app.outbox import delivery
from app.outbox.service import QUEUES
from jobs.process import Stopping, flask_app, queue_of, redis_from

RESTART_PAUSE = 1.0
STOP_GRACE = 15.0
WORKER_TTL = 60
log = structlog.get_logger("worker")


def serve(name: str) -> None:
    """Work on one queue until SIGTERM; ends when Redis is gone for too long, and is started again then."""
    app = flask_app()
    connection = redis_from(app.config)
    with app.app_context():
        taken_back = run_atomically(lambda: delivery.take_back(queue=name))
    log.info("worker started", queue=name, taken_back=taken_back)
    worker = SimpleWorker(
        [queue_of(name, connection)],
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL,
        log_job_description=False,
    )
    worker.work(logging_level="WARNING")
    log.info("worker stopped", queue=name)


def serve_or_say_why(name: str) -> None:
    """Without Redis or database: one sentence and exit code 1; whoever started it tries again."""
    try:
        serve(name)
    except (RedisError, SQLAlchemyError) as error:
        sys.exit(f"worker cannot work: {type(error).__name__}")


def supervise() -> None:
    """One child a queue; a child that ends is started again after a moment."""
    stopping = Stopping()
    children = {name: _start(name) for name in QUEUES}
    while not stopping.wait(0.2):
        for name, child in children.items():
            if not child.is_alive():
                print(f"worker for {name} ended with {child.exitcode}; starting it again", flush=True)
                if stopping.wait(RESTART_PAUSE):
                    break
                children[name] = _start(name)
    for child in children.values():
        child.terminate()
    deadline = time.monotonic() + STOP_GRACE
    for child in children.values():
        child.join(max(0.1, deadline - time.monotonic()))
        if child.is_alive():
            child.kill()


def _start(name: str) -> BaseProcess:
    """Forked, because a second of imports for each of them is a second more until the shop is up. The supervisor
    itself opens no connection and starts no thread, so there is nothing that a child could share by accident."""
    child = get_context("fork").Process(target=_child, args=(name, os.getpid()), name=f"worker-{name}")
    child.start()
    return child


def _child(name: str, supervisor: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    _follow(supervisor)
    os.environ["SHOP_PROCESS"] = f"worker-{name}"
    serve_or_say_why(name)


def _follow(supervisor: int) -> None:
    """End with the supervisor even when that was killed: two workers a queue would break its order.

    Its process id was taken before the fork: it may be gone before the child can ask who its parent is.
    """

    def watch() -> None:
        while os.getppid() == supervisor:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="follow-parent").start()


def main() -> None:
    if len(sys.argv) == 1:
        supervise()
        return
    if len(sys.argv) != 2 or sys.argv[1] not in QUEUES:
        sys.exit(f"usage: python -m jobs.worker [{'|'.join(QUEUES)}]")
    serve_or_say_why(sys.argv[1])


if __name__ == "__main__":
    main()
