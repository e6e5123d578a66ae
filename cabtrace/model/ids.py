"""Names of cells and the paths they become."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from urllib.parse import quote, unquote

# A component keeps what file systems and shells take unharmed; the rest is percent-encoded.
_SAFE = "".join(map(chr, range(0x30, 0x3A))) + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.@+:="
_COMPONENT_CHARS = 120


@dataclass(frozen=True, slots=True)
class CellId:
    """Identity of a cell: `sweep/agent/model/task`, where model and task may hold slashes themselves."""

    sweep: str
    agent: str
    model: str
    task: str

    def __str__(self) -> str:
        return f"{self.sweep}/{self.agent}/{self.model}/{self.task}"

    def path_parts(self) -> tuple[str, ...]:
        """Directory names below the store, one or more for each part; never `.`, `..`, empty or hidden."""
        parts: list[str] = []
        for part in (self.sweep, self.agent, self.model, self.task):
            parts += [path_component(piece) for piece in part.split("/") if piece] or ["_"]
        return tuple(parts)


def path_component(text: str) -> str:
    """`text` as one directory name: percent-encoded where needed, at most 120 characters."""
    encoded = quote(text.encode("utf-8", "replace"), safe=_SAFE)
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if encoded.isdigit():  # digits alone name an attempt
        encoded = "_" + encoded
    return encoded[:_COMPONENT_CHARS] or "_"


def component_text(component: str) -> str:
    """The inverse of `path_component`, as far as there is one (display only; run.json holds the identity)."""
    return unquote(component)


def new_run_id() -> str:
    """32 hex digits, unique to one attempt."""
    return secrets.token_hex(16)


def is_hex_id(text: str, digits: int) -> bool:
    """Whether `text` is a non-zero hex id of that length (W3C: all zeroes is invalid)."""
    return bool(re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", text)) and set(text) != {"0"}
