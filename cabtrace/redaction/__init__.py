"""Secrets removed before a byte reaches the disk; `cabtrace.redact` is the way in."""
