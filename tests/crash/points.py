"""The crash points that the code names."""

from __future__ import annotations

import re

from embedded.services import ROOT

NAME = re.compile(r'crashpoint\("([a-z._]+)"\)')


def named_in_the_code() -> set[str]:
    files = [path for room in ("app", "jobs") for path in (ROOT / room).rglob("*.py")]
    return {name for path in files for name in NAME.findall(path.read_text(encoding="utf-8"))}
