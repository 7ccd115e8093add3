"""`python -m jobs.relay`: hands outbox rows to RQ. Enqueue first, mark second: a crash between the two repeats a
row, never loses one. It asks the database a few times a second; LISTEN/NOTIFY would make every commit of the shop
queue for one lock.
"""

from __future__ import annotations

import structlog
from redis.exceptions import RedisError
from rq import Queue
from sqlalchemy.exc import SQLAlchemyError

from app.kernel.crashpoint import crashpoint
from app.kernel.database import db, transaction
from app.outbox import delivery
from jobs.process import Stopping, flask_app, queues_on, redis_from
from jobs.watching import Watchman

BATCH = 100
POLL_SECONDS = 0.25
LONGEST_PAUSE = 5.0
JOB_TIMEOUT = 120
FAILURE_TTL = 24 * 3600
log = structlog.get_logger("relay")


def relay_once(queues: dict[str, Queue]) -> int:
    """Hand over up to BATCH due rows; how many. Raises RedisError, SQLAlchemyError: then nothing is marked.

    The rows stay locked while Redis is asked, for seconds at most: the locks are what keeps a second relay off.
    """
    with transaction():
        due = delivery.lock_due(limit=BATCH)
        if not due:
            return 0
        crashpoint("relay.before_enqueue")
        for name in {row.queue for row in due}:
            _enqueue(queues[name], [row for row in due if row.queue == name])
        crashpoint("relay.before_mark")
        delivery.mark_enqueued(row_ids=[row.id for row in due])
    crashpoint("relay.after_mark")
    return len(due)


def _enqueue(queue: Queue, rows: list[delivery.Due]) -> None:
    queue.enqueue_many(
        [
            Queue.prepare_data(
                "jobs.execute.run_outbox_job",
                args=[str(row.id)],
                job_id=f"obx-{row.id}",
                timeout=JOB_TIMEOUT,
                result_ttl=0,
                failure_ttl=FAILURE_TTL,
                description=str(row.id),
            )
            for row in rows
        ]
    )


def main() -> None:
    app, stopping, pause = flask_app(), Stopping(), POLL_SECONDS
    queues, watchman = queues_on(redis_from(app.config)), Watchman("relay")
    log.info("relay started")
    while not stopping:
        try:
            with app.app_context():
                handed = relay_once(queues)
                watchman.look()
            pause = POLL_SECONDS
            if handed == BATCH:
                continue
        except (RedisError, SQLAlchemyError) as error:
            pause = min(pause * 2, LONGEST_PAUSE)
            log.error("relay waits", reason=type(error).__name__, seconds=pause)
        stopping.wait(pause)
    with app.app_context():
        db.engine.dispose()
    log.info("relay stopped")


if __name__ == "__main__":
    main()
