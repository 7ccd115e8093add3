"""What stands still, read from the database when Prometheus asks: one answer whichever process gives it."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from app.kernel.database import session
from app.outbox import delivery, runs
from app.payments.issues import count_open_by_kind

log = structlog.get_logger("metrics")


class Standing(Collector):
    """Late tasks, jobs by state, and open issues by kind."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        late = GaugeMetricFamily("shop_task_late", "1 for a scheduled task that has not run", labels=["task"])
        behind = {run.name for run in runs.list_late()}
        for run in runs.list_runs():
            late.add_metric([run.name], float(run.name in behind))
        jobs = GaugeMetricFamily("shop_jobs", "Jobs that are not done", labels=["state"])
        for state, count in delivery.count_by_state().items():
            jobs.add_metric([state], count)
        issues = GaugeMetricFamily("shop_issues_open", "Differences that wait for staff", labels=["kind"])
        for kind, count in count_open_by_kind().items():
            issues.add_metric([kind], count)
        yield from (late, jobs, issues)


def render() -> bytes:
    """Prometheus text; nothing without a database, so that the other metrics are still there."""
    registry = CollectorRegistry()
    try:
        registry.register(Standing())
        return bytes(generate_latest(registry))
    except SQLAlchemyError as error:
        session().rollback()
        log.error("no gauges", reason=type(error).__name__)
        return b""
