"""A threaded HTTP/1.1 server for the sandbox processes: one process, one thread a connection.

Why not Gunicorn: a sandbox that is killed with SIGKILL must be dead at once (a worker that outlives its
master would go on answering for a second), withheld answers must not use up a pool of threads, and the fault
tokens need the socket. Why not Werkzeug's server as it is: it closes every connection, 10 ms late.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

MAX_BODY = 1_000_000
ABORT = "sandbox.abort"
"""Environ key that a view sets: "reset" (no answer, TCP reset) or "truncate" (half of one, then a reset)."""


class Handler(WSGIRequestHandler):
    """Keep-alive: the whole body is read before the app runs; the next request line is where it should be."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        body = self._read_body()
        if body is None:
            return
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(body)
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            started[:] = [status, headers]

        app: Any = self.server.app
        chunks = app(environ, start_response)
        try:
            payload = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        if environ.get(ABORT) == "reset":
            self._reset()
            return
        self._send(started[0], started[1], payload, truncate=environ.get(ABORT) == "truncate")

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._send("413 Content Too Large", [("Content-Type", "text/plain")], b"body not accepted\n")
            return None
        return self.rfile.read(int(length))

    def _send(
        self, status: str, headers: list[tuple[str, str]], payload: bytes, truncate: bool = False
    ) -> None:
        code, reason = status.split(" ", 1)
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload[: len(payload) // 2] if truncate else payload)
        self.wfile.flush()
        if truncate:
            self._reset()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Quiet: the control page and the events are the log."""


class Server(ThreadedWSGIServer):
    daemon_threads = True
    request_queue_size = 512

    def shutdown_request(self, request: Any) -> None:
        # The usual shutdown() would send a FIN first and turn a wanted reset into an orderly end.
        self.close_request(request)


def serve(app: Any, port: int, label: str, on_bound: Callable[[], None]) -> None:
    """Serve on 127.0.0.1 (port 0: a free one) until SIGTERM or Ctrl-C; exits with 1 if the port is taken.

    `on_bound` runs once the port is ours: the port is what keeps two processes off the same data.
    """
    server = Server("127.0.0.1", port, app, Handler)
    # Withheld answers sleep in threads; nothing is left to save, every answer was committed first.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    on_bound()
    print(f"{label} on http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever(poll_interval=3600)
    os._exit(0)
