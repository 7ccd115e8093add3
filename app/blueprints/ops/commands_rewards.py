"""`flask rewards …`: the group that commands about points join."""

from __future__ import annotations

from flask.cli import AppGroup

group = AppGroup("rewards", help="The points programme: prove it, simulate it, run its jobs.")
