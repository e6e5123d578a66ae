"""Coding agents, one small file each."""
