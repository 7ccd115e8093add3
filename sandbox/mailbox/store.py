"""Mails as .eml files in a folder, the newest 2,000; the file's name is the message's id."""

from __future__ import annotations

import email
import email.policy
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

MOST = 2000
LINK = re.compile(r"https?://[^\s<>\"']+")


@dataclass(frozen=True, slots=True)
class Summary:
    id: str
    received_at: str
    sender: str
    recipients: tuple[str, ...]
    subject: str


def parse(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part_text(message: EmailMessage, kind: str) -> str:
    """The `plain` or `html` body, "" if there is none."""
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else ""


class Mailbox:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._lock = folder, threading.Lock()
        self._summaries = {path.stem: self._summary(path) for path in sorted(folder.glob("*.eml"))}

    def add(self, raw: bytes, recipients: list[str]) -> str:
        """Keep a mail, and who it was really for (the envelope); returns its id."""
        received = datetime.now(UTC)
        message_id = f"{received:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
        envelope = f"X-Envelope-To: {', '.join(recipients)}\r\n".encode()
        path = self._folder / f"{message_id}.eml"
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(envelope + raw)
        unfinished.rename(path)
        with self._lock:
            self._summaries[message_id] = self._summary(path)
            for oldest in list(self._summaries)[:-MOST]:
                self._forget(oldest)
        return message_id

    def _summary(self, path: Path) -> Summary:
        headers = parse(path.read_bytes().split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n")
        received = datetime.strptime(path.stem.split("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        return Summary(
            id=path.stem,
            received_at=received.isoformat().replace("+00:00", "Z"),
            sender=str(headers.get("From", "")),
            recipients=tuple(str(headers.get("X-Envelope-To", "")).split(", ")),
            subject=str(headers.get("Subject", "")) or "(no subject)",
        )

    def summaries(self, to: str = "") -> list[Summary]:
        """Newest first; `to` is a part of a recipient's address, in any case."""
        with self._lock:
            found = list(self._summaries.values())[::-1]
        return [one for one in found if any(to.lower() in address.lower() for address in one.recipients)]

    def find(self, message_id: str) -> tuple[Summary, EmailMessage] | None:
        with self._lock:
            summary = self._summaries.get(message_id)
        if summary is None:
            return None
        return summary, parse((self._folder / f"{message_id}.eml").read_bytes())

    def clear(self) -> int:
        """Delete all; returns how many there were."""
        with self._lock:
            ids = list(self._summaries)
            for message_id in ids:
                self._forget(message_id)
        return len(ids)

    def _forget(self, message_id: str) -> None:
        del self._summaries[message_id]
        (self._folder / f"{message_id}.eml").unlink(missing_ok=True)


def as_json(summary: Summary, message: EmailMessage) -> dict[str, Any]:
    """Everything a test wants of a mail; `links` are the addresses in its text, else in its HTML."""
    text, html = part_text(message, "plain"), part_text(message, "html")
    return {
        "id": summary.id,
        "received_at": summary.received_at,
        "from": summary.sender,
        "to": list(summary.recipients),
        "subject": summary.subject,
        "headers": {name: str(value) for name, value in message.items()},
        "text": text,
        "html": html,
        "links": LINK.findall(text or html),
        "attachments": [part.get_filename() or "" for part in message.iter_attachments()],
    }
