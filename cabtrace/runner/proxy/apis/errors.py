"""What an API says when it refuses."""

from __future__ import annotations

from cabtrace.runner.proxy.apis.facts import ResponseFacts
from cabtrace.runner.proxy.apis.values import items, load, mapping, text

_MESSAGE_CHARS = 2_000


def read_error(document: object) -> tuple[str | None, str | None]:
    """Type and message of the error in a document; None, None where there is none."""
    if isinstance(document, list):
        document = next(iter(items(document)), None)
    error = mapping(document).get("error")
    if isinstance(error, str) and error:
        return error[:100], text(mapping(document).get("message")) or error
    fields = mapping(error)
    if not fields:
        return None, None
    kind = next((text(fields.get(key)) for key in ("type", "status", "code") if text(fields.get(key))), None)
    code = fields.get("code")
    if kind is None and isinstance(code, int):
        kind = str(code)
    message = text(fields.get("message"))
    return (kind or "error")[:100], message[:_MESSAGE_CHARS] if message else None


def refusal(status: int, body: bytes) -> ResponseFacts:
    """The facts of an answer whose status is not 2xx."""
    document = load(body)
    kind, message = read_error(document)
    if message is None:
        message = body[:_MESSAGE_CHARS].decode("utf-8", "replace").strip() or None
    return ResponseFacts(error_type=kind or str(status), error_message=message, done=document is not None)
