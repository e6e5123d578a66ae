"""A run as a file: each exporter is a pure function of a RunView to a stream."""
