"""A model endpoint that answers by a script: four APIs, realistic latencies, no key, the same answer every time."""
