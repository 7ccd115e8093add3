"""`python -m tests.gateways.localstripe_process DIR`: localstripe on 127.0.0.1 alone, with its files in DIR.

localstripe (GPL-3, a process of its own, never part of the shop) listens on every interface and pickles its
books into /tmp; here its sockets and its one file are led elsewhere. Always from scratch: it unpickles otherwise.
"""

from __future__ import annotations

import builtins
import runpy
import socket
import sys
from pathlib import Path
from typing import Any

PICKLE = "/tmp/localstripe.pickle"
_open = builtins.open


class Loopback(socket.socket):
    """An IPv6 socket for everybody becomes an IPv4 one for this machine, and says where it listens."""

    def __init__(self, family: int = -1, *more: Any, **named: Any) -> None:
        super().__init__(socket.AF_INET if family == socket.AF_INET6 else family, *more, **named)

    def bind(self, address: Any) -> None:
        super().bind(("127.0.0.1", address[1]))
        self.listen(128)
        print(f"localstripe on http://127.0.0.1:{self.getsockname()[1]}", flush=True)


def main(folder: Path) -> None:
    def opened(file: Any, *args: Any, **more: Any) -> Any:
        return _open(folder / "localstripe.pickle" if file == PICKLE else file, *args, **more)

    builtins.open = opened
    sys.stderr = _open(folder / "localstripe.log", "w", buffering=1, encoding="utf-8")
    socket.socket = Loopback  # type: ignore[misc]
    sys.argv = ["localstripe", "--port", "0", "--from-scratch"]
    runpy.run_module("localstripe", run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
