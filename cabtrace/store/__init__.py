"""The store: one run is one directory of standard files, append-only while it is recorded."""
