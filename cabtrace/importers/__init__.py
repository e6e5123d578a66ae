"""Foreign recordings as runs of the store."""
