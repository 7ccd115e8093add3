"""The README's shell block, run as it stands by a reader's shell against a shop with the demo catalogue."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.stack import ROOT
from tests.live.shop import LiveShop

pytestmark = pytest.mark.browser
MARKED = re.compile(r"<!-- the tests run this block as it stands -->\n```sh\n(.*?)^```", re.S | re.M)


def test_the_block_of_the_readme_buys_something(shop: LiveShop, tmp_path: Path) -> None:
    (block,) = MARKED.findall((ROOT / "README.md").read_text())
    shop.stack.flask("catalogue", "import", str(ROOT / "demo" / "catalogue.csv"))
    # Nothing but a PATH: a reader has exported none of the shop's settings.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", block],
        env={"PATH": path, "API": f"{shop.stack.url}/api/v1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "paid\n", "")
