"""What must never reach the disk: the keys that this machine knows, and the cell's own token."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from cabtrace.redact import Redactor

if TYPE_CHECKING:
    from cabtrace.runner.spec import CellSpec

# Harbor's rule of what a sensitive name is, without the plural that token counts have.
_SENSITIVE = re.compile(
    r"KEY|SECRET|TOKEN(?!S)|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|AUTH(?!OR)|COOKIE|SESSION_ID|JWT|BEARER|CONNECTION_STRING"
    r"|(?:^|_)(?:PASS|PAT)$|_PWD$",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(r"SSH_AUTH_SOCK|KEYBOARD|XAUTHORITY|SOCK$|PATH$|_FILE$|_URL$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s:]*:([^/?#@\s]+)@", re.IGNORECASE)
_ARGUMENT_MARKER: Final = "[redacted:argument]"


def new_token() -> str:
    """A bearer token that is good for one cell's proxy only."""
    return f"cbt-{secrets.token_hex(24)}"


def sensitive_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Name -> value of environment variables that are secret by their name."""
    return {k: v for k, v in environ.items() if v and _SENSITIVE.search(k) and not _NOT_SECRET.search(k)}


def url_passwords(environ: Mapping[str, str]) -> dict[str, str]:
    """Name -> password of variables that hold a URL with one, such as DATABASE_URL; also as it was before it was quoted."""
    found = {name: match[1] for name, value in environ.items() if (match := _URL_PASSWORD.match(value))}
    return {**{f"{name}.unquoted": unquote(password) for name, password in found.items()}, **found}


def argument_values(argv: Sequence[str]) -> dict[str, str]:
    """Values that a flag of the command line says are secret: they may turn up anywhere, without the flag."""
    found = {}
    for number, (given, clean) in enumerate(zip(argv, Redactor().argv(argv), strict=True)):
        before, marker, _ = clean.partition(_ARGUMENT_MARKER)
        if marker and given.startswith(before):
            found[f"argument-{number}"] = given[len(before) :]
    return found


def make_redactor(spec: CellSpec, token: str, scratch: Path) -> Redactor:
    """Knows this machine's secret environment, the endpoint's key and the cell's token; names folders by what they are."""
    task_env = dict((*spec.task.environment.env, *spec.task.verifier_env, *spec.task.solution_env))
    known = {
        **url_passwords(os.environ),
        **sensitive_values(os.environ),
        **sensitive_values(task_env),
        **argument_values(spec.agent_argv),
        **spec.secrets,
        "run_token": token,
    }
    if spec.api_key:
        known["api_key"] = spec.api_key
    return Redactor(known, paths={str(scratch): "<scratch>", str(Path.home()): "~"})
