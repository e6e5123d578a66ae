"""The Textual app: the only place that imports textual. It holds no logic; that is in `replay.session` and the panels."""
