"""What a backend kept of a trace: read back through its own API and held against the run."""
