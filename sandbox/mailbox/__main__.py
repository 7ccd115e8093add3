"""`python -m sandbox.mailbox`: the development mailbox as a process, on 127.0.0.1 only."""

from __future__ import annotations

import argparse
import asyncio
import functools
import socket
import sys
import threading
from pathlib import Path

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


def listen(mailbox: Mailbox, port: int) -> None:
    """Take mail on 127.0.0.1:`port` in a thread; exits with status 1 and one sentence if the port is taken."""
    try:
        bound = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"mailbox: cannot take mail on 127.0.0.1:{port}: {error.strerror}")

    def protocol() -> SMTP:
        # A name of its own: aiosmtpd would ask the DNS for one at each connection.
        return SMTP(Sink(mailbox), hostname="mailbox", enable_SMTPUTF8=True)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(protocol, sock=bound)
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True, name="smtp").start()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.mailbox", description=__doc__)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True, help="0: a free one, printed")
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps the mails")
    given = parser.parse_args()
    mailbox = Mailbox(given.data)
    ready = functools.partial(listen, mailbox, given.smtp_port)
    serve(create_app(mailbox), given.http_port, "mailbox", on_bound=ready)


main()
