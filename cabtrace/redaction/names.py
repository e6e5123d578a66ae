"""Which names are names of secrets: of JSON keys, headers, environment variables and command line flags."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

Strength = Literal["strong", "weak", ""]

_SECRET_WORDS = frozenset(
    {
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "secrets",
        "credential",
        "credentials",
        "authorization",
        "cookie",
        "apikey",
        "accesskey",
        "secretkey",
        "privatekey",
        "accesstoken",
        "authtoken",
        "refreshtoken",
        "idtoken",
        "sessiontoken",
        "bearertoken",
        "clientsecret",
        "apitoken",
        "csrf",
        "xsrf",
    }
)
_KEY_OF = frozenset(
    {
        "api",
        "access",
        "secret",
        "private",
        "account",
        "signing",
        "encryption",
        "master",
        "deploy",
        "goog",
        "client",
        "service",
        "admin",
        "auth",
    }
)
# Token and key are everyday words of language models, parsers and data bases.
_BENIGN_OF = frozenset(
    {
        "page",
        "eos",
        "bos",
        "pad",
        "unk",
        "sep",
        "cls",
        "mask",
        "stop",
        "special",
        "next",
        "prev",
        "continuation",
        "sync",
        "cancel",
        "cancellation",
        "max",
        "min",
        "num",
        "n",
        "per",
        "primary",
        "foreign",
        "sort",
        "partition",
        "cache",
        "public",
        "host",
        "group",
        "index",
        "map",
        "dict",
        "json",
        "hash",
        "row",
        "column",
        "idempotency",
        "dedupe",
        "object",
        "current",
        "first",
        "last",
        "start",
        "end",
    }
)
_BENIGN_PASS = frozenset({"first", "second", "by", "single", "multi", "two", "test", "tests"})
_PLACEHOLDER = re.compile(
    r"\$|<|\[redacted:|\{\{|%[A-Za-z{(]|\.\.\.|…|[*xX•_.?-]+\Z|your[-_ ]|env[.:\[]|os\.|process\.|changeme|example"
    r"|/|\./|~|\\"
    r"|(?:none|null|nil|true|false|undefined|required|optional|string|redacted|hidden|masked|missing|present)\b",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")
_CODE = re.compile(r"[A-Za-z_][A-Za-z_.:-]*\Z")  # an identifier, a dotted name, a type: no digit, no symbol
MARKER = re.compile(r"\[redacted:[\w.-]+\]")


@cache
def _words() -> re.Pattern[str]:
    return re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def strength(name: str) -> Strength:
    """How sure it is that a value of this name is secret; `weak` names (token, key) also name harmless things."""
    words = [word.lower() for word in _words().findall(name[-64:])]
    if not words:
        return ""
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "pass":
        return "weak" if before and before not in _BENIGN_PASS else ""
    if last in _SECRET_WORDS:
        return "strong"
    if last == "key":
        return "strong" if before in _KEY_OF else "weak" if before not in _BENIGN_OF else ""
    if last == "token":
        return "strong" if before and before not in _BENIGN_OF else "" if before else "weak"
    return ""


def plausible(name: str, value: str, *, quoted: bool) -> bool:
    """Whether `value`, assigned to `name` in running text, is a secret and not code, a placeholder or an id."""
    how = strength(name)
    if not how or len(value) < 6 or _PLACEHOLDER.match(value) or MARKER.fullmatch(value):
        return False
    if how == "weak":
        return looks_random(value)
    return quoted or name.isupper() or not _CODE.match(value)


def looks_random(value: str) -> bool:
    """Whether a value looks like a token: long, unbroken, letters of both cases and digits; no UUID, no digest."""
    if len(value) < 16 or _UUID.match(value) or not re.fullmatch(r"[A-Za-z0-9+/=_.~-]+", value):
        return False
    has_digit = any(c.isdigit() for c in value)
    return has_digit and value != value.lower() and value != value.upper()
