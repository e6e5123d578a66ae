"""Scores: one file an axis, each a pure function of a run."""
