"""Structs, which JSON is read into, and the threads that read it.

msgspec works out what a Struct looks like when it is first read into, and lets other threads see that before it is
whole: two first requests at once end their process with SIGSEGV (0.22.0).
"""

from __future__ import annotations

import msgspec


def learn_shapes() -> None:
    """Have all of the app's Structs worked out now, while there is one thread."""
    found: list[type[msgspec.Struct]] = msgspec.Struct.__subclasses__()
    while found:
        shape = found.pop()
        found += shape.__subclasses__()
        if shape.__module__.startswith("app."):
            msgspec.json.Decoder(shape)
