"""A TCP proxy that can be bad: what toxiproxy calls toxics, in one thread.

latency: each piece waits. bandwidth: a few kilobytes a second. slicer: pieces of a few bytes. slow_close: the end is
told late. down: refused, and what is open is reset. reset_peer: reset as soon as an answer begins. limit_data: cut
after `size` bytes of answers. timeout: nothing passes any more, and after a while both ends are closed.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

TOXICS = ("latency", "bandwidth", "slicer", "slow_close", "down", "reset_peer", "limit_data", "timeout")
LATENCY, PATIENCE, SLOW = 0.05, 0.4, 0.2
SLICE = 7
RATE = 64 * 1024


@dataclass(eq=False)
class _Link:
    """One connection through the proxy. `answered`: bytes that came back since the toxic was set."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    answered: int = 0

    def reset(self) -> None:
        for end in (self.near, self.far):
            found = end.get_extra_info("socket")
            if found is not None:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()


class Proxy:
    """Listens on `port` of 127.0.0.1, and leads to (host, port)."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._links: set[_Link] = set()
        self._toxic, self._size = "", 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="proxy")
        self._thread.start()
        self._server: asyncio.Server | None = None
        self.port = 0
        self._run(self._listen())

    def set(self, toxic: str, size: int = 0) -> None:
        """From now on, also for what is open. "" ends it."""
        self._run(self._set(toxic, size))

    def close(self) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.reset()
        await asyncio.sleep(0.01)

    async def _set(self, toxic: str, size: int) -> None:
        self._toxic, self._size = toxic, size
        for link in self._links:
            link.answered = 0
        await (self._stop() if toxic == "down" else self._listen())

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            far_reader, far = await asyncio.open_connection(*self._target)
        except OSError:
            near.transport.abort()
            return
        link = _Link(near, far)
        self._links.add(link)
        try:
            await asyncio.gather(
                self._pump(reader, far, link, answers=False), self._pump(far_reader, near, link, answers=True)
            )
        except (OSError, asyncio.IncompleteReadError):
            link.reset()
        finally:
            self._links.discard(link)
            near.close()
            far.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link, *, answers: bool
    ) -> None:
        while data := await reader.read(16 * 1024):
            passed = await self._bend(data, writer, link, answers=answers)
            if not passed:
                return
        if self._toxic == "slow_close":
            await asyncio.sleep(SLOW)
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()

    async def _bend(self, data: bytes, writer: asyncio.StreamWriter, link: _Link, *, answers: bool) -> bool:
        """Write `data`, or what the toxic leaves of it; False when that ends the connection."""
        toxic = self._toxic
        if toxic == "timeout":
            await asyncio.sleep(PATIENCE)
            link.reset()
            return False
        if toxic == "reset_peer" and answers:
            link.reset()
            return False
        if toxic == "limit_data" and answers:
            left = self._size - link.answered
            if len(data) >= left:
                writer.write(data[:left])
                await writer.drain()
                link.near.close()
                link.far.close()
                return False
            link.answered += len(data)
        pieces = [data[i : i + SLICE] for i in range(0, len(data), SLICE)] if toxic == "slicer" else [data]
        if toxic == "latency":
            await asyncio.sleep(LATENCY)
        if toxic == "bandwidth":
            await asyncio.sleep(len(data) / RATE)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if toxic == "slicer":
                await asyncio.sleep(0)
        return True
