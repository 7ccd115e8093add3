"""The development mailbox: a real SMTP session in, pages and JSON out."""

from __future__ import annotations

import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from embedded.state import State
from sandbox.mailbox.store import MOST
from sandbox.mailbox.store import Mailbox as Store
from tests.sandbox.peers import ROOT, Process


class Mailbox(Process):
    def __init__(self, data: Path) -> None:
        self.smtp_port = State(data).port("smtp")
        flags = ["--smtp-port", str(self.smtp_port), "--http-port", "0", "--data", str(data / "mails")]
        super().__init__("sandbox.mailbox", *flags)

    def send(self, to: str, subject: str, html: str = "") -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "Shop <shop@demo.example>", to, subject
        message.set_content("Träffa https://shop.example/orders/A1 now\n<b>plain</b>")
        if html:
            message.add_alternative(html, subtype="html")
            message.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="invoice.pdf")
        with smtplib.SMTP("127.0.0.1", self.smtp_port) as session:
            session.send_message(message)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=30)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    process = Mailbox(tmp_path_factory.mktemp("mailbox"))
    yield process
    process.end()


@pytest.fixture
def mailbox(running: Mailbox) -> Mailbox:
    requests.delete(running.url + "/api/messages", timeout=30)
    return running


def test_a_mail_comes_out_as_it_went_in(mailbox: Mailbox) -> None:
    mailbox.send(
        "ann@demo.example", "Order 航 paid", "<p>Paid: <a href='https://shop.example/o'>order</a></p>"
    )
    mailbox.send("bob@demo.example", "Another")
    found = mailbox.get("/api/messages?to=ANN@demo").json()["messages"]
    assert [one["subject"] for one in found] == ["Order 航 paid"]
    assert found[0]["to"] == ["ann@demo.example"]
    assert found[0]["links"] == ["https://shop.example/orders/A1"]
    assert "Träffa" in found[0]["text"]
    assert found[0]["attachments"] == ["invoice.pdf"]
    assert [one["subject"] for one in mailbox.get("/api/messages").json()["messages"]] == [
        "Another",
        "Order 航 paid",
    ]
    assert mailbox.get(f"/messages/{found[0]['id']}/attachments/0").content == b"%PDF-1"


def test_the_pages_show_text_and_html_apart(mailbox: Mailbox) -> None:
    mailbox.send("ann@demo.example", "<i>Subject</i>", "<h1>Hello</h1><script>alert(1)</script>")
    mail = mailbox.get("/api/messages").json()["messages"][0]
    assert "&lt;i&gt;Subject" in mailbox.get("/").text
    page = mailbox.get(f"/messages/{mail['id']}").text
    assert "sandbox=" in page
    assert "<h1>Hello" not in page
    assert '<a href="https://shop.example/orders/A1"' in page
    assert "&lt;b&gt;plain" in page
    alone = mailbox.get(f"/messages/{mail['id']}/html")
    assert "<h1>Hello</h1>" in alone.text
    assert alone.headers["Content-Security-Policy"].startswith("sandbox allow-popups")
    assert "allow-scripts" not in alone.headers["Content-Security-Policy"]


def test_delete_all(mailbox: Mailbox) -> None:
    mailbox.send("ann@demo.example", "One")
    assert requests.post(mailbox.url + "/delete", timeout=30).status_code == 200
    assert mailbox.get("/api/messages").json()["messages"] == []
    assert mailbox.get("/messages/20260101T000000000000-00000000").status_code == 404


def test_a_taken_port_is_said_in_one_sentence(mailbox: Mailbox, tmp_path: Path) -> None:
    flags = ["--smtp-port", str(mailbox.smtp_port), "--http-port", "0", "--data", str(tmp_path)]
    command = [sys.executable, "-m", "sandbox.mailbox", *flags]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"mailbox: cannot take mail on 127.0.0.1:{mailbox.smtp_port}: ")
    assert "Traceback" not in ended.stderr


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    box = Store(tmp_path)
    ids = [box.add(f"Subject: {n}\r\n\r\nHello".encode(), ["ann@demo.example"]) for n in range(MOST + 3)]
    assert [one.id for one in box.summaries()] == ids[:2:-1]
    assert len(list(tmp_path.glob("*.eml"))) == MOST
    assert box.find(ids[0]) is None


def test_mails_survive_a_restart(tmp_path: Path) -> None:
    process = Mailbox(tmp_path / "mail")
    try:
        process.send("ann@demo.example", "Kept")
        process.end()
        process.start()
        assert [one["subject"] for one in process.get("/api/messages").json()["messages"]] == ["Kept"]
    finally:
        process.end()
