"""From a recorded run to somewhere else: files in other formats, and OTLP backends with proof of what arrived."""
