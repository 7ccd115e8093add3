"""Verbs of the stock room. None of them commits."""
