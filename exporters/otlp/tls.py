"""Certificates: the receiver's and our own, read before anything is sent, and TLS failures in words that say what to do."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cabtrace.errors import UsageError

if TYPE_CHECKING:
    from exporters.otlp.settings import Target

UNTRUSTED: Final = "the receiver's certificate is not trusted"
_UNTRUSTED_HINT: Final = "OTEL_EXPORTER_OTLP_CERTIFICATE names the CA to trust"
_WANTS_OURS: Final = (
    "the receiver wants a client certificate; see OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"
)
_NO_TLS: Final = "the receiver does not speak TLS; is the endpoint http://?"


def context(target: Target) -> ssl.SSLContext:
    """For a secure target. Raises UsageError for a file that is missing, no certificate, or a key of another certificate."""
    if target.client_key and not target.client_certificate:
        raise UsageError(
            "There is a client key and no client certificate.", hint="Set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, too."
        )
    files = {"CERTIFICATE": target.certificate, "CLIENT_CERTIFICATE": target.client_certificate, "CLIENT_KEY": target.client_key}
    for name, path in files.items():
        _check(path, name)
    with _explained(target.certificate, "CERTIFICATE"):
        made = ssl.create_default_context(cafile=target.certificate or None)
    if target.client_certificate:
        with _explained(target.client_certificate, "CLIENT_CERTIFICATE and its key"):
            made.load_cert_chain(target.client_certificate, target.client_key or None)
    return made


def pem_files(target: Target) -> tuple[bytes | None, bytes | None, bytes | None]:
    """The CA, our key and our certificate, None where there is none. Raises UsageError as `context` does."""
    context(target)
    ca, key, certificate = (
        Path(p).read_bytes() if p else None for p in (target.certificate, target.client_key, target.client_certificate)
    )
    return ca, key if key or not certificate else certificate, certificate


def trouble(text: str) -> str:
    """What is wrong, where a TLS library's words are about certificates or about no TLS at all; else ""."""
    if "CERTIFICATE_VERIFY_FAILED" in text:
        detail = text.rpartition("CERTIFICATE_VERIFY_FAILED")[2].partition("(_ssl")[0].partition("] certificate verify failed")[2]
        reason = detail.strip(" :.")
        return f"{UNTRUSTED}{f' ({reason})' if reason else ''}; {_UNTRUSTED_HINT}"
    if "CERTIFICATE_REQUIRED" in text or "ALERT_HANDSHAKE_FAILURE" in text or "ALERT_BAD_CERTIFICATE" in text:
        return _WANTS_OURS
    if "UNKNOWN_CA" in text:
        return "the receiver does not trust our client certificate"
    return _NO_TLS if "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text else ""


@contextmanager
def _explained(path: str, name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise UsageError(f"{path} is not what OTEL_EXPORTER_OTLP_{name} needs: {reason}.", hint="It takes PEM files.") from error


def _check(path: str, name: str) -> None:
    try:
        if path:
            Path(path).open("rb").close()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", hint=f"See OTEL_EXPORTER_OTLP_{name}.") from error
