"""`python -m bench [ledger|statement|expiry|callbacks|servers] [options]`: one, or each in turn with its defaults."""

from __future__ import annotations

import sys

from bench import callbacks, expiry, ledger, servers, statement

MEASUREMENTS = {
    "ledger": ledger.main,
    "statement": statement.main,
    "expiry": expiry.main,
    "callbacks": callbacks.main,
    "servers": servers.main,
}


def main() -> None:
    """Exits with one sentence when there is no such measurement."""
    chosen, *options = sys.argv[1:] or [""]
    if not chosen:
        for measure in MEASUREMENTS.values():
            measure([])
    elif chosen in MEASUREMENTS:
        MEASUREMENTS[chosen](options)
    else:
        sys.exit(f"There is no measurement {chosen!r}: choose {', '.join(MEASUREMENTS)}.")


if __name__ == "__main__":
    main()
