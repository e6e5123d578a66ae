"""Corpora and tests of hostile input."""
