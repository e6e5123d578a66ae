"""Where to click: the address of a trace in a backend's own pages."""

from __future__ import annotations

from urllib.parse import quote

import orjson

from exporters.otlp.settings import PRESETS


def deep_link(preset: str, trace_id: str, ui: str = "") -> str:
    """The page of a trace; "" for a backend that has none, or one that is not known."""
    base = (ui or (PRESETS[preset].ui if preset in PRESETS else "")).rstrip("/")
    if not base or not trace_id:
        return ""
    if preset == "jaeger":
        return f"{base}/trace/{trace_id}"
    if preset == "tempo":
        query = {"refId": "A", "queryType": "traceql", "query": trace_id}
        pane = {"t": {"datasource": "tempo", "queries": [query], "range": {"from": "now-24h", "to": "now"}}}
        return f"{base}/explore?schemaVersion=1&orgId=1&panes={quote(orjson.dumps(pane).decode())}"
    if preset == "phoenix":
        return f"{base}/redirects/traces/{trace_id}"
    return ""
