"""Mails: render and keep, send, mark. Each step can be repeated; only the sending can happen twice (see
`app.notifications.service`)."""

from __future__ import annotations

import hashlib
from functools import partial

import structlog
from flask import current_app
from flask_mailman import EmailMultiAlternatives

from app.blueprints.common.mailing import render_mail
from app.extensions import mail
from app.kernel.crashpoint import crashpoint
from app.kernel.database import end_reading, run_atomically
from app.notifications import queries, service
from app.notifications.queries import Letter
from jobs.letters import DRAFTS
from jobs.registry import Handler, RunningJob

log = structlog.get_logger("mail")


def send_message(message: str, job: RunningJob) -> None:
    """The mail `message`, once per dedupe key; not at all when it has nothing to say any more."""
    letter = queries.find_letter(job.dedupe_key)
    if letter is not None and letter.is_sent:
        end_reading()
        return
    # Written before, it may have waited for the mail server while the order moved on.
    if not run_atomically(partial(_write, message, job, is_new=letter is None)):
        log.info("mail superseded", message=message, about=job.dedupe_key)
        return
    letter = letter or queries.find_letter(job.dedupe_key)
    end_reading()
    assert letter is not None, "it was written just now"
    crashpoint("mail.before_send")
    _deliver(letter)
    crashpoint("mail.before_mark")
    run_atomically(partial(service.mark_sent, dedupe_key=job.dedupe_key))
    log.info("mail sent", message=message)


def _write(message: str, job: RunningJob, *, is_new: bool) -> bool:
    """False: it is superseded."""
    draft = DRAFTS[message](job.payload)
    if draft is None:
        service.mark_superseded(dedupe_key=job.dedupe_key)
        return False
    if not is_new:
        return True
    rendered = render_mail(message, draft.context, locale=draft.locale)
    service.store_mail(
        dedupe_key=job.dedupe_key,
        template=message,
        rendered=rendered,
        recipient=draft.recipient,
        customer_id=draft.customer_id,
        subject_ref=draft.subject_ref,
    )
    return True


def _deliver(letter: Letter) -> None:
    """Hand it to the mail server. Raises what smtplib raises: the job comes again."""
    digest = hashlib.sha256(letter.dedupe_key.encode()).hexdigest()[:32]
    host = current_app.config["MAIL_DEFAULT_SENDER"].rpartition("@")[2].rstrip(">")
    message = EmailMultiAlternatives(
        letter.subject,
        letter.text,
        to=[letter.recipient],
        headers={"Message-ID": f"<{digest}@{host}>", "Auto-Submitted": "auto-generated"},
        connection=mail.get_connection(backend="smtp"),
    )
    message.attach_alternative(letter.html, "text/html")
    message.send()


HANDLERS: dict[str, Handler] = {f"mail.{message}": partial(send_message, message) for message in DRAFTS}
