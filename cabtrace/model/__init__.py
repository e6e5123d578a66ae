"""Plain data of a run: no I/O, no third-party objects."""
