"""Writers of a RunView to somewhere else: pure functions of a run to a stream."""
