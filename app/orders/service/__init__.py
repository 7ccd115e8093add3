"""Verbs of the orders room. None of them commits."""
