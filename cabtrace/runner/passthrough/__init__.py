"""A program on a pseudo-terminal of ours, seen and used through the terminal that the user sits at."""
