"""Readers of what agents write about themselves: one module a format, none of which ever raises."""
