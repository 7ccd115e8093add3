"""Adjustments by file: every difference is shown first, then all of it is booked or none."""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Any

from flask import Response, current_app, flash, make_response, redirect, request
from sqlalchemy import select
from sqlalchemy.orm import aliased

from app.accounts.models import Customer
from app.accounts.queries import find_customer
from app.blueprints.backoffice.access import action, page, reader_may
from app.blueprints.backoffice.acting import NOTHING_TRIED, Answer, Attempt, perform, refused, typed
from app.blueprints.backoffice.cells import badge, link, moment, signed, words
from app.blueprints.backoffice.filters import Choice, Rows, days
from app.blueprints.backoffice.lists import Column, StaffList
from app.blueprints.common.actors import actor_from_request, current_person
from app.kernel.database import run_atomically
from app.kernel.errors import Conflict, RuleBroken, invalid
from app.rewards import queries
from app.rewards.batch_file import OPTIONAL, REQUIRED
from app.rewards.programme_models import AdjustmentBatch
from app.rewards.queries.batches import list_batch_rows
from app.rewards.service import batches
from app.rewards.service.batches import Preview
from app.rewards.states import BATCH

Maker = aliased(Customer)
FORM = "file"
# The file travels through the confirmation as a field of the form, which may hold 256 KiB.
MOST_BYTES = 180_000
SHOWN_ROWS = 200


class AdjustmentFiles(StaffList):
    permission = "rewards.read"
    title = "Adjustment files"
    empty = "No file has been sent in."
    list_template = "admin/files.html"
    columns = {
        "created_at": Column(
            "Sent in (UTC)",
            lambda row: link(moment(row.created_at), "admin_files.show", batch_id=row.id),
            AdjustmentBatch.id,
        ),
        "file_name": Column("File", lambda row: row.file_name),
        "rows": Column("Rows", lambda row: f"{row.rows:,}", AdjustmentBatch.rows, is_number=True),
        "credit": Column("{points} added", lambda row: signed(row.credit), is_number=True),
        "debit": Column("{points} taken", lambda row: signed(-row.debit), is_number=True),
        "state": Column("State", lambda row: badge(row.state)),
        "maker": Column("By", lambda row: row.maker),
    }
    order_by = (AdjustmentBatch.id.desc(),)
    narrow = (
        Choice("status", "State", AdjustmentBatch.state, {s: words(s) for s in sorted(BATCH.states)}),
        *days(AdjustmentBatch.created_at),
    )

    def statement(self) -> Rows:
        batch = AdjustmentBatch
        columns = (batch.id, batch.created_at, batch.file_name, batch.rows, batch.credit, batch.debit)
        return select(*columns, batch.state, Maker.name.label("maker")).outerjoin(
            Maker, Maker.id == batch.requested_by
        )

    @page("/new", permission="rewards.adjust")
    def new(self) -> str:
        return self._form()

    @action("/new", permission="rewards.adjust")
    def make(self) -> Answer:
        """A file: what would happen. The same file again, confirmed: it happens."""
        rules = queries.rules_in_force()
        try:
            if request.form.get("step") != "apply":
                name, content = uploaded()
                preview = run_atomically(
                    lambda: batches.dry_run(content=content, rules=rules, actor=actor_from_request())
                )
                return make_response(self._form(preview=preview, name=name, content=content))
            content = carried()
            batch = run_atomically(
                lambda: batches.submit(
                    content=content, file_name=typed("file_name"), rules=rules, actor=actor_from_request()
                )
            )
        except (RuleBroken, Conflict) as error:
            return refused(error, form=FORM, again=self._form)
        unit = current_app.config["POINTS_NAME"]
        is_done = batch.state == "applied"
        told = f"booked: the {unit} have moved" if is_done else "kept: it waits for somebody else’s approval"
        flash(f"The file is {told}.", "success")
        return redirect(self.get_url(".show", batch_id=batch.id), 303)

    @page("/<uuid:batch_id>")
    def show(self, batch_id: uuid.UUID) -> str:
        return self._page(batch_id)

    @page("/<uuid:batch_id>/result.csv")
    def result(self, batch_id: uuid.UUID) -> Response:
        queries.get_batch(batch_id)
        answer = Response(batches.result_file(batch_id=batch_id), content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = f'attachment; filename="adjustments-{batch_id}.csv"'
        return answer

    @action("/<uuid:batch_id>/approve", permission="rewards.approve")
    def approve(self, batch_id: uuid.UUID) -> Answer:
        return self._decide(batch_id, "approve", "Approved: every row is booked and the customers are told.")

    @action("/<uuid:batch_id>/reject", permission="rewards.approve")
    def reject(self, batch_id: uuid.UUID) -> Answer:
        return self._decide(batch_id, "reject", "Rejected: nothing has moved.")

    def _decide(self, batch_id: uuid.UUID, verb: str, done: str) -> Answer:
        def work() -> None:
            about: dict[str, Any] = {"batch_id": batch_id, "note": typed("note")}
            if verb == "approve":
                about["rules"] = queries.rules_in_force()
            getattr(batches, verb)(**about, actor=actor_from_request())

        return perform(
            work,
            form=verb,
            done=done,
            back=self.get_url(".show", batch_id=batch_id),
            again=lambda tried: self._page(batch_id, tried),
        )

    def _form(
        self,
        tried: Attempt = NOTHING_TRIED,
        *,
        preview: Preview | None = None,
        name: str = "",
        content: bytes = b"",
    ) -> str:
        rows = sorted(preview.rows, key=lambda row: row.problem is None) if preview else []
        shown: str = self.render(
            "admin/file_form.html",
            preview=preview,
            shown_rows=rows[:SHOWN_ROWS],
            name=name,
            content=base64.b64encode(content).decode(),
            required=REQUIRED,
            optional=OPTIONAL,
            reasons=queries.rules_in_force().adjustments.reasons,
            tried=tried,
        )
        return shown

    def _page(self, batch_id: uuid.UUID, tried: Attempt = NOTHING_TRIED) -> str:
        batch, reader = queries.get_batch(batch_id), current_person()
        assert reader is not None
        waits = batch.state == "awaiting_approval"
        rows = list_batch_rows(batch_id)
        shown: str = self.render(
            "admin/file.html",
            batch=batch,
            rows=rows[:SHOWN_ROWS],
            is_cut=len(rows) > SHOWN_ROWS,
            maker=_name(batch.requested_by),
            decider=_name(batch.decided_by),
            waits=waits,
            may_decide=waits and reader.id != batch.requested_by and reader_may("rewards.approve"),
            tried=tried,
        )
        return shown


def uploaded() -> tuple[str, bytes]:
    """(name, content) of the file of the form. Raises RuleBroken naming `file`."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise invalid("file", "REQUIRED", "Choose a CSV file.")
    content = sent.stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        message = f"The file is larger than {MOST_BYTES:,} bytes. Send it in parts."
        raise invalid("file", "FILE_TOO_LARGE", message)
    return sent.filename.replace("\x00", "")[:200], content


def carried() -> bytes:
    """The file that was looked at, out of the form. Raises RuleBroken naming `file`."""
    try:
        return base64.b64decode(request.form.get("content", ""), validate=True)
    except (ValueError, binascii.Error) as error:
        raise invalid("file", "REQUIRED", "Choose the file again.") from error


def _name(person_id: uuid.UUID | None) -> str | None:
    person = find_customer(person_id) if person_id else None
    return person.name if person else None
