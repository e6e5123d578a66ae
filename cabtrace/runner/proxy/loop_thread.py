"""The proxy's event loop thread; it serves the telemetry receiver too, which lives in a lower layer."""

from __future__ import annotations

from cabtrace.loop_thread import LoopThread

__all__ = ["LoopThread"]
