"""What all wire formats share."""

from __future__ import annotations

import json
from typing import Any

# Answers are the same every time, so they were all "created" at one instant.
CREATED_S = 1_700_000_000


def event(data: dict[str, Any], *, named: bool = False) -> bytes:
    """A server-sent event, with its type as its name where the API does so."""
    name = f"event: {data['type']}\n" if named else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
