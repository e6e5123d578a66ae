"""One trace from several witnesses: the harness, the proxy, the agent's own telemetry, the agent's transcript. Pure functions."""

from __future__ import annotations

from cabtrace.model.merge.adopt import Adoption
from cabtrace.model.merge.trace import Merged, merge_spans
from cabtrace.model.merge.transcript import ToolCallLike

__all__ = ["Adoption", "Merged", "ToolCallLike", "merge_spans"]
