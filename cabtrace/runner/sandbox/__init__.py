"""Boxes that a cell runs in: `docker` isolates, `local` does not and says so."""
