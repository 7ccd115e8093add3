"""The sandbox processes for tests, and a client and a webhook receiver for them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk_test_sandbox"
SECRET = "whsec_test_sandbox"


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What `condition` returns, once it is true; fails when it does not become so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"did not happen within {seconds} s")


class Process:
    """`python -m <module>`; `url` is where it says that it listens."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self.url = ""
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert " on http://" in line, line
        self.url = line.split(" on ")[1].strip()

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        os.kill(self.process.pid, how)
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Gateway(Process):
    def __init__(self, data: Path, *more: str) -> None:
        flags = ["--data", str(data), "--seed", "seven", "--key", KEY, "--webhook-secret", SECRET]
        super().__init__("sandbox.gateway", "--port", "0", *flags, *more)
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {KEY}"

    def call(
        self, method: str, path: str, body: Any = None, key: str = "", wait: float = 30
    ) -> requests.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.session.request(method, self.url + path, json=body, headers=headers, timeout=wait)

    def pay(self, token: str, key: str, wait: float = 30, **more: Any) -> requests.Response:
        body = {
            "amount": 10_000,
            "currency": "HKD",
            "reference": f"order-{key}",
            "payment_token": token,
            **more,
        }
        return self.call("POST", "/v1/payments", body, key, wait)

    def hosted(self, key: str, **more: Any) -> dict[str, Any]:
        body = {"amount": 10_000, "currency": "HKD", "reference": key, "method": "hosted", **more}
        return dict(self.call("POST", "/v1/payments", body, key).json())

    def refund(self, payment: str, amount: int | None, key: str) -> requests.Response:
        body = {} if amount is None else {"amount": amount, "reason": "test"}
        return self.call("POST", f"/v1/payments/{payment}/refunds", body, key)

    def truth(self, key: str) -> dict[str, Any]:
        return dict(self.call("GET", f"/v1/payments/by-key/{key}").json())

    def control(self, path: str, body: Any = None) -> Any:
        answer = self.call("POST", f"/control/{path}", body or {})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events(self, payment: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/control/events?payment={payment}").json()["data"])


def good_signature(header: str, body: bytes, secret: str) -> bool:
    """Written from the contract, not from the gateway's code."""
    fields = [part.split("=", 1) for part in header.split(",")]
    timestamp = next(value for name, value in fields if name == "t")
    expected = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return abs(time.time() - int(timestamp)) < 300 and expected in [v for n, v in fields if n == "v1"]


class Shop:
    """Takes webhooks; answers with the statuses of `answers`, then 200."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.answers: list[int] = []
        shop = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shop.received.append((self.headers["Sandbox-Signature"], body))
                self.send_response(shop.answers.pop(0) if shop.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, payment: str) -> list[dict[str, Any]]:
        bodies = [json.loads(body) for _, body in list(self.received)]
        return [body for body in bodies if body["data"]["payment"]["id"] == payment]

    def types(self, payment: str) -> list[str]:
        return [body["type"] for body in self.of(payment)]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
