"""Widgets of the replay screen, one a file."""
