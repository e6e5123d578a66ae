"""Forty fake secrets and a thousand harmless texts, generated from a seed.

The secrets are put together from parts at run time, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

_ALNUM = string.ascii_letters + string.digits
_WORD = _ALNUM + "_-"
_HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class FakeSecret:
    """A secret to plant.

    `value` must be found nowhere afterwards; `carrier` is how it appears in a text (for most just the value itself);
    `rule` is what names it; `known` is what a redactor must be told for it to be found ("" if its format gives it away).
    """

    name: str
    rule: str
    value: str
    carrier: str
    known: str = ""


def known_values(secrets: tuple[FakeSecret, ...]) -> dict[str, str]:
    """Rule -> value of the secrets that a redactor has to be told."""
    return {secret.rule: secret.known for secret in secrets if secret.known}


def fake_secrets(seed: int = 20240607) -> tuple[FakeSecret, ...]:
    """Forty of them: 28 formats of vendors, 7 told by their context, 5 known values in their encoded forms."""
    rng = random.Random(seed)  # fakes, and the same ones every time
    return (*_vendor_secrets(rng), *_context_secrets(rng), *_known_secrets(rng))


def _chars(rng: random.Random, alphabet: str, count: int) -> str:
    """Random characters that surely hold a digit and both cases where the alphabet does, as real keys do."""
    picked = [rng.choice(alphabet) for _ in range(count)]
    for at, kind in ((2, string.digits), (4, string.ascii_lowercase), (6, string.ascii_uppercase)):
        choices = [c for c in kind if c in alphabet]
        if choices and count > at:
            picked[at] = rng.choice(choices)
    picked[0] = rng.choice([c for c in alphabet if c.isalnum()])
    picked[-1] = rng.choice([c for c in alphabet if c.isalnum()])
    return "".join(picked)


def _vendor_secrets(rng: random.Random) -> list[FakeSecret]:
    upper = string.ascii_uppercase + string.digits

    def of(name: str, rule: str, *parts: str | tuple[str, int]) -> FakeSecret:
        value = "".join(part if isinstance(part, str) else _chars(rng, *part) for part in parts)
        return FakeSecret(name, rule, value, value)

    return [
        of("anthropic", "anthropic", "sk-", "ant-", "api03-", (_WORD, 93), "AA"),
        of("openai project", "openai", "sk-", "proj-", (_WORD, 74), "T3Blbk", "FJ", (_WORD, 74)),
        of("openai service account", "openai", "sk-", "svcacct-", (_WORD, 60)),
        of("openai classic", "openai", "sk-", (_ALNUM, 20), "T3Blbk", "FJ", (_ALNUM, 20)),
        of("openrouter", "openrouter", "sk-", "or-", "v1-", (_HEX, 64)),
        of("deepseek", "sk-key", "sk-", (_HEX, 32)),
        of("cerebras", "sk-key", "csk-", (string.ascii_lowercase + string.digits, 48)),
        of("google", "google", "AI", "za", (_WORD, 35)),
        of("google oauth", "google-oauth", "GOC", "SPX-", (_WORD, 28)),
        of("groq", "groq", "gsk", "_", (_ALNUM, 52)),
        of("hugging face", "huggingface", "hf", "_", (string.ascii_letters, 34)),
        of("perplexity", "perplexity", "pp", "lx-", (_ALNUM, 48)),
        of("xai", "xai", "xa", "i-", (_ALNUM, 80)),
        of("nvidia", "nvidia", "nv", "api-", (_WORD, 64)),
        of("github classic", "github", "gh", "p_", (_ALNUM, 36)),
        of("github oauth", "github", "gh", "o_", (_ALNUM, 36)),
        of("github server", "github", "gh", "s_", (_ALNUM, 36)),
        of("github fine-grained", "github", "github", "_pat_", (_ALNUM, 22), "_", (_ALNUM, 59)),
        of("gitlab", "gitlab", "gl", "pat-", (_WORD, 20)),
        of("slack", "slack", "xo", "xb-", (string.digits, 12), "-", (string.digits, 12), "-", (_ALNUM, 24)),
        of("aws key id", "aws", "AK", "IA", (upper, 16)),
        of("stripe", "stripe", "sk", "_live_", (_ALNUM, 24)),
        of("npm", "npm", "np", "m_", (_ALNUM, 36)),
        of("pypi", "pypi", "py", "pi-", "AgEIcHlwaS5vcmc", (_WORD, 120)),
        of("sendgrid", "sendgrid", "S", "G.", (_WORD, 22), ".", (_WORD, 43)),
        of("own token", "cabtrace-token", "cb", "t-", (_WORD, 32)),
        _jwt(rng),
        _pem(rng),
    ]


def _jwt(rng: random.Random) -> FakeSecret:
    def part(data: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    header, claims = (
        part({"alg": "HS256", "typ": "JWT"}),
        part({"sub": _chars(rng, string.digits, 10), "iat": 1516239022}),
    )
    value = f"{header}.{claims}.{_chars(rng, _WORD, 43)}"
    return FakeSecret("jwt", "jwt", value, value)


def _pem(rng: random.Random) -> FakeSecret:
    body = base64.b64encode(rng.randbytes(1190)).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    kind = "RSA PRIVATE " + "KEY"
    block = "\n".join((f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"))
    return FakeSecret("pem", "private-key", lines[3], block)


def _context_secrets(rng: random.Random) -> list[FakeSecret]:
    def of(name: str, rule: str, before: str, value: str, after: str = "") -> FakeSecret:
        return FakeSecret(name, rule, value, f"{before}{value}{after}")

    basic = base64.b64encode(f"ann:{_chars(rng, _ALNUM, 12)}".encode()).decode()
    return [
        of("aws secret", "assignment", "aws_secret_access_key = ", _chars(rng, _ALNUM + "/+", 40)),
        of("url password", "url-credentials", "postgres://ann:", _chars(rng, _ALNUM, 14), "@db.example:5432/app"),
        of("bearer header", "authorization", "Authorization: Bearer ", _chars(rng, _ALNUM, 40)),
        of("basic header", "authorization", "authorization: Basic ", basic),
        of("shell export", "assignment", "export MISTRAL_API_KEY=", _chars(rng, _ALNUM, 32)),
        of("json password", "assignment", '{"password": "', _chars(rng, _ALNUM + "!#%", 16), '"}'),
        of("cookie", "cookie", "Cookie: session=", _chars(rng, _ALNUM, 32)),
    ]


def _known_secrets(rng: random.Random) -> list[FakeSecret]:
    def value() -> str:
        return f'{_chars(rng, _ALNUM, 9)}/+ "{_chars(rng, _ALNUM, 9)}&é{_chars(rng, _ALNUM, 6)}'

    def of(name: str, encode: Callable[[str], str]) -> FakeSecret:
        known = value()
        return FakeSecret(name, f"known-{name}", encode(known), encode(known), known)

    return [
        of("plain", str),
        of("base64", lambda v: base64.b64encode(v.encode()).decode()),
        of("base64-url", lambda v: base64.urlsafe_b64encode(v.encode()).decode().rstrip("=")),
        of("url", lambda v: quote(v, safe="")),
        of("json", lambda v: json.dumps(v)[1:-1]),
    ]


def benign_texts(count: int = 1_000, seed: int = 41) -> list[str]:
    """Texts as agents and harnesses make them, in which nothing is secret."""
    rng = random.Random(seed)  # the same ones every time
    return [_BENIGN[at % len(_BENIGN)](rng) for at in range(count)]


def _sha(rng: random.Random) -> str:
    return hashlib.sha256(rng.randbytes(8)).hexdigest()


def _word(rng: random.Random) -> str:
    return rng.choice(("parse", "render", "token", "keyword", "secretary", "author", "monkey", "session", "passing", "disk-io"))


def _sentence(rng: random.Random) -> str:
    return " ".join(_word(rng) for _ in range(rng.randrange(5, 40))).capitalize() + "."


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(bytes=rng.randbytes(16), version=4))


def _usage(rng: random.Random) -> str:
    prompt, completion = rng.randrange(90_000), rng.randrange(9_000)
    return json.dumps(
        {
            "id": f"chatcmpl-{_chars(rng, _ALNUM, 29)}",
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": prompt // 2},
            },
            "max_tokens": 4096,
            "system_fingerprint": f"fp_{_chars(rng, _HEX, 10)}",
        }
    )


def _logprobs(rng: random.Random) -> str:
    return json.dumps({"content": [{"token": _word(rng), "logprob": -rng.random(), "bytes": [72, 101]} for _ in range(4)]})


def _tool_call(rng: random.Random) -> str:
    arguments = json.dumps({"command": f"cat src/{_word(rng)}.py | head -n {rng.randrange(90)}"})
    return json.dumps({"id": f"call_{_chars(rng, _ALNUM, 24)}", "function": {"name": "shell", "arguments": arguments}})


def _traceback(rng: random.Random) -> str:
    line = rng.randrange(400)
    return (
        f'Traceback (most recent call last):\n  File "/usr/lib/python3.11/json/decoder.py", line {line}, in decode\n'
        f"    obj, end = self.raw_decode(s, idx=_w(s, 0).end())\nKeyError: '{_word(rng)}_key'"
    )


_BENIGN: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: f"sha256:{_sha(rng)}",
    lambda rng: f"{_sha(rng)}  dist/package-{rng.randrange(9)}.0.tar.gz",
    _uuid,
    lambda rng: f"data:image/png;base64,{base64.b64encode(rng.randbytes(rng.randrange(60, 600))).decode()}",
    lambda rng: f"tokens: {rng.randrange(99_999)}, author: {_word(rng)}",
    lambda rng: (
        f"commit {_sha(rng)[:40]}\nAuthor: Ann Example <ann@example.org>\n"
        f"Date:   Mon Jun 3 10:11:12 2024 +0200\n\n    {_sentence(rng)}"
    ),
    _traceback,
    lambda rng: (
        f"   Compiling serde_{_word(rng)} v1.0.{rng.randrange(300)}\n"
        f"warning: unused variable: `{_word(rng)}_key`\n --> src/main.rs:{rng.randrange(90)}:9"
    ),
    lambda rng: f"test tests::{_word(rng)}_token_is_rejected ... ok\ntest result: ok. {rng.randrange(90)} passed; 0 failed",
    _usage,
    _logprobs,
    _tool_call,
    _sentence,
    lambda rng: f"def next_token(self, key: str = '{_word(rng)}') -> Token:\n    return self.tokens[key]  # author: {_word(rng)}",
    lambda rng: (
        f"GET http://127.0.0.1:{rng.randrange(1024, 65535)}/v1/chat/completions HTTP/1.1\nHost: localhost\n"
        f"Content-Length: {rng.randrange(9999)}"
    ),
    lambda rng: (
        f"/workspace/src/{_word(rng)}/task-management-module/test_{_word(rng)}_key.py:{rng.randrange(900)}:{rng.randrange(80)}"
    ),
    lambda rng: f"const apiKey = process.env.OPENAI_API_KEY;\nif (!apiKey) throw new Error('{_word(rng)}');",
    lambda rng: f"api_key = os.environ['OPENAI_API_KEY']\nclient = Client(api_key=api_key, token=None, seed={rng.randrange(99)})",
    lambda rng: f"traceparent: 00-{_sha(rng)[:32]}-{_sha(rng)[:16]}-01",
    lambda rng: (
        f"diff --git a/{_word(rng)}.rs b/{_word(rng)}.rs\nindex {_sha(rng)[:7]}..{_sha(rng)[:7]} 100644\n"
        f"@@ -1,4 +1,5 @@\n-let key = map.keys().next();\n+let key: Option<&str> = None;"
    ),
    lambda rng: (
        f"Usage: tool [OPTIONS] --api-key <KEY> --token TOKEN\n  --max-tokens N  at most N tokens [default: {rng.randrange(999)}]"
    ),
    lambda rng: f"password: str = Field(default=..., description='{_sentence(rng)}')\nsecret: Option<String>,",
    lambda rng: (
        f'"integrity": "sha512-{base64.b64encode(rng.randbytes(64)).decode()}",\n'
        f'"resolved": "https://registry.example.org/ansi-styles/-/ansi-styles-{rng.randrange(9)}.3.0.tgz"'
    ),
    lambda rng: (
        f"drwxr-xr-x 2 root root 4096 Jun {rng.randrange(1, 28)} 10:{rng.randrange(10, 60)} {_word(rng)}\n"
        f"-rw-r--r-- 1 root root {rng.randrange(99999)} Cargo.lock"
    ),
    lambda rng: json.dumps(
        {
            "type": "object",
            "properties": {"api_key": {"type": "string"}, "key": {"type": "string", "description": _sentence(rng)}},
        }
    ),
    lambda rng: (
        f"session_id={_uuid(rng)} request_id=req_{_chars(rng, _ALNUM, 24)} cache_key={_sha(rng)} "
        f"page_token=CAEQ{rng.randrange(99)}"
    ),
)
