"""Playback of a recorded run: timeline, clock and screen (pure), and the Textual app in `replay.tui`."""
