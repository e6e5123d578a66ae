"""What must never reach the disk: the keys that this machine knows, and the cell's own token."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.redact import Redactor

if TYPE_CHECKING:
    from cabtrace.runner.spec import CellSpec

# Harbor's rule of what a sensitive name is, without the plural that token counts have.
_SENSITIVE = re.compile(r"KEY|SECRET|TOKEN(?!S)|PASSWORD|PASSWD|CREDENTIAL|AUTH(?!OR)|COOKIE|SESSION_ID", re.IGNORECASE)
_NOT_SECRET = re.compile(r"SSH_AUTH_SOCK|KEYBOARD|XAUTHORITY|SOCK$|PATH$|_FILE$|_URL$", re.IGNORECASE)


def new_token() -> str:
    """A bearer token that is good for one cell's proxy only."""
    return f"cbt-{secrets.token_hex(24)}"


def sensitive_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Name -> value of environment variables that are secret by their name."""
    return {k: v for k, v in environ.items() if v and _SENSITIVE.search(k) and not _NOT_SECRET.search(k)}


def make_redactor(spec: CellSpec, token: str, scratch: Path) -> Redactor:
    """Knows this machine's secret environment, the endpoint's key and the cell's token; names folders by what they are."""
    known = {**sensitive_values(os.environ), **spec.secrets, "run_token": token}
    if spec.api_key:
        known["api_key"] = spec.api_key
    return Redactor(known, paths={str(scratch): "<scratch>", str(Path.home()): "~"})
