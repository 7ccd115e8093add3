"""`python -m bench`: everything that is measured with no arguments, one after the other."""

from __future__ import annotations

from bench import ledger

if __name__ == "__main__":
    ledger.main()
