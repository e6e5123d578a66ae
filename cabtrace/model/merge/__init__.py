"""One trace from several witnesses: the harness, the proxy, the agent's own telemetry, the agent's transcript. Pure functions."""
