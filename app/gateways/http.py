"""One HTTP call to a gateway: bounded in time and size, never redirected, resent only where that is safe."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import urllib3

from app.gateways.deadlines import pool_manager, until

MAX_REPLY = 1024 * 1024
SENDS = 3
"""A refused connection or a 429 did nothing (rate limiters stand before the books): the same may be sent again."""
PAUSE = 0.3
LONGEST_PAUSE = 2.0
_CHUNK = 16 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for the connection, for the answer to begin, and for everything including resends."""

    connect: float
    read: float
    total: float


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class NoReply:
    """Nothing to go by: `reason` is for logs."""

    reason: str


class Transport:
    """Keep-alive connections to one gateway, shared by the threads of a process."""

    def __init__(self, base_url: str, *, headers: dict[str, str], timeouts: Timeouts) -> None:
        self._base = base_url
        self._headers = {"Accept": "application/json", "User-Agent": "miles-plus-cash", **headers}
        self._timeouts = timeouts
        self._pool = pool_manager()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: dict[str, str] | None = None,
        deadline: float | None = None,
        max_reply: int = MAX_REPLY,
    ) -> Reply | NoReply:
        """Never raises for what the network or the other side does.

        `body`: bytes as they are, anything else as JSON. `deadline` (time.monotonic): of several calls together.
        `max_reply`: bytes; a larger answer is none.
        """
        deadline = min(deadline or math.inf, time.monotonic() + self._timeouts.total)
        outcome: Reply | NoReply = NoReply("not sent")
        for attempt in range(SENDS):
            with until(deadline):
                outcome, pause = self._send(method, path, body, headers or {}, deadline, max_reply)
            pause = min(pause * (attempt + 1), LONGEST_PAUSE)
            if not pause or attempt == SENDS - 1 or time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
        return outcome

    def _send(
        self, method: str, path: str, body: object, headers: dict[str, str], deadline: float, max_reply: int
    ) -> tuple[Reply | NoReply, float]:
        """The outcome, and how long to wait before the same may be sent again (0: it may not)."""
        try:
            response = self._pool.request(
                method,
                self._base + path,
                body=body if body is None or isinstance(body, bytes) else msgspec.json.encode(body),
                headers={**self._headers, "Content-Type": "application/json", **headers},
                timeout=self._timeout(deadline),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except urllib3.exceptions.NewConnectionError:
            return NoReply("connection refused"), PAUSE
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return NoReply(f"no answer: {_why(error, deadline)}"), 0
        read = self._read(response, deadline, max_reply)
        if isinstance(read, NoReply):
            return read, 0
        if response.status == 429:
            return Reply(429, read, response.headers), _seconds(response.headers.get("Retry-After"))
        return Reply(response.status, read, response.headers), 0

    def _timeout(self, deadline: float) -> urllib3.Timeout:
        left = max(0.05, deadline - time.monotonic())
        return urllib3.Timeout(connect=min(self._timeouts.connect, left), read=min(self._timeouts.read, left))

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float, max_reply: int) -> bytes | NoReply:
        """The whole body; a truncated, endless or trickling one is no reply, and its connection is closed."""
        parts: list[bytes] = []
        size = 0
        try:
            for part in response.stream(_CHUNK):
                parts.append(part)
                size += len(part)
                if size > max_reply:
                    response.close()
                    return NoReply("answer too large")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            response.close()
            return NoReply(f"answer cut off: {_why(error, deadline)}")
        response.release_conn()
        return b"".join(parts)


def _why(error: Exception, deadline: float) -> str:
    return "too slow" if time.monotonic() >= deadline else type(error).__name__


def _seconds(retry_after: str | None) -> float:
    if retry_after and retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 4:
        return max(PAUSE, float(retry_after))
    return PAUSE
