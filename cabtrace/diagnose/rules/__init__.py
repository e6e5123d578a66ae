"""The rules: each a pure function of a run's evidence."""
