"""Verbs of the points ledger, one job a module. None of them commits."""
