"""Runs one cell and records it."""
