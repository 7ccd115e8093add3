"""Connections whose answers end in time: status line, headers and body together, however slowly they drip.

A socket's own timeout is for one piece of an answer, and a peer that sends a byte now and then never meets it. Here
every read from the socket gets what is left until the deadline that `until` has set.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_deadline: ContextVar[float] = ContextVar("gateway_deadline")


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Answers that begin in here are read until then (time.monotonic), their bodies too when those are read later."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def pool_manager() -> urllib3.PoolManager:
    """Keep-alive connections for use within `until`."""
    manager = urllib3.PoolManager(num_pools=2, maxsize=32, retries=False)
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return manager


class _Timed(io.RawIOBase):
    """The bytes of `raw`, each piece waited for no longer than the socket's timeout and the deadline allow."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw, self._sock, self._deadline, self._each = raw, sock, deadline, sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Raises TimeoutError."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the whole answer has passed")
        self._sock.settimeout(left if self._each is None else min(left, self._each))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, _deadline.get()))


class _HttpConnection(HTTPConnection):
    response_class = _Response


class _HttpsConnection(HTTPSConnection):
    response_class = _Response


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
