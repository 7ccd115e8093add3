"""Work that was given up, and when everything else runs."""

from __future__ import annotations

import json
import uuid

from sqlalchemy import select

from app.audit import service as audit
from app.blueprints.backoffice.access import StaffPage, action, page
from app.blueprints.backoffice.acting import NOTHING_TRIED, Answer, Attempt, perform
from app.blueprints.backoffice.cells import ago, link, moment
from app.blueprints.backoffice.filters import Rows
from app.blueprints.backoffice.history import history_of
from app.blueprints.backoffice.lists import Column, StaffList
from app.blueprints.common.actors import actor_from_request
from app.kernel.database import session
from app.kernel.errors import NotFound
from app.outbox import delivery, runs
from app.outbox.models import OutboxRow


class DeadJobs(StaffList):
    permission = "jobs.read"
    title = "Dead letters"
    hint = "Topic or key"
    empty = "Nothing was given up: every job is done or on its way."
    columns = {
        "topic": Column(
            "Job", lambda row: link(row.topic, "admin_jobs.show", row_id=row.id), OutboxRow.topic
        ),
        "key": Column("Key", lambda row: row.dedupe_key),
        "error": Column("Last error", lambda row: (row.last_error or "").strip().rpartition("\n")[2][:200]),
        "attempts": Column("Tries", lambda row: row.attempts, is_number=True),
        "dead_at": Column("Given up", lambda row: ago(row.dead_at), OutboxRow.dead_at, is_number=True),
    }
    order_by = (OutboxRow.dead_at.desc(), OutboxRow.id.desc())

    def statement(self) -> Rows:
        row = OutboxRow
        columns = (row.id, row.topic, row.dedupe_key, row.attempts, row.dead_at, row.last_error)
        return select(*columns).where(row.dead_at.is_not(None))

    def search(self, statement: Rows, term: str) -> Rows:
        return statement.where((OutboxRow.topic == term) | (OutboxRow.dedupe_key == term))

    @page("/<uuid:row_id>")
    def show(self, row_id: uuid.UUID) -> str:
        return self._page(row_id)

    @action("/<uuid:row_id>/again", permission="jobs.run")
    def run_again(self, row_id: uuid.UUID) -> Answer:
        def work() -> None:
            delivery.revive(row_id=row_id)
            audit.record(
                actor=actor_from_request(), action="job.revived", target_type="job", target_id=str(row_id)
            )

        return perform(
            work,
            form="again",
            done="The job will run again within seconds.",
            back=self.get_url(".show", row_id=row_id),
            again=lambda tried: self._page(row_id, tried),
        )

    def _page(self, row_id: uuid.UUID, tried: Attempt = NOTHING_TRIED) -> str:
        job = session().get(OutboxRow, row_id, populate_existing=True)
        if job is None:
            raise NotFound("There is no such job.")
        payload = json.dumps(job.payload, indent=2, sort_keys=True, ensure_ascii=False)
        history = history_of("job", str(row_id))
        return self.render("admin/job.html", job=job, payload=payload, audit=history, tried=tried)


class Schedule(StaffPage):
    permission = "jobs.read"

    def __init__(self, *, endpoint: str, url: str, category: str) -> None:
        super().__init__("Schedule", category=category, endpoint=endpoint, url=url)

    @page()
    def index(self) -> str:
        late = {run.name for run in runs.list_late()}
        return self.render("admin/schedule.html", runs=runs.list_runs(), late=late, moment=moment)
