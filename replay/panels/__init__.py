"""The panels of the replay screen as documents; each is a function of a run and the playhead, and knows nothing of Textual."""
