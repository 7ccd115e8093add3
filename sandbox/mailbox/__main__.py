"""`python -m sandbox.mailbox`: the development mailbox as a process, on 127.0.0.1 only."""

from __future__ import annotations

import argparse
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.mailbox.store import Mailbox
from sandbox.mailbox.web import create_app
from sandbox.server import serve


class Sink:
    """aiosmtpd's handler: every mail is taken."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.content or b""
        self._mailbox.add(raw if isinstance(raw, bytes) else raw.encode(), list(envelope.rcpt_tos))
        return "250 Kept"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.mailbox", description=__doc__)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True, help="0: a free one, printed")
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps the mails")
    given = parser.parse_args()
    mailbox = Mailbox(given.data)
    smtp = Controller(Sink(mailbox), hostname="127.0.0.1", port=given.smtp_port)
    serve(create_app(mailbox), given.http_port, "mailbox", on_bound=smtp.start)


main()
