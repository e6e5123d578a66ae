"""Delivery over TLS with certificates made for the test; what is wrong with certificates is one sentence and loses nothing."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cabtrace.errors import UsageError
from cabtrace.store.reader import RunView
from exporters.otlp import outbox
from exporters.otlp.export import Options, Report, export_run
from exporters.otlp.retry import Patience
from exporters.otlp.settings import resolve
from tests.support.certificates import Authority, Signed
from tests.support.export_runs import many_spans, run_of
from tests.support.otlp_receiver import GrpcReceiver, Receiver

SPANS = 300
PROTOCOLS = ("grpc", "http/protobuf", "http/json")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_of(tmp_path_factory.mktemp("runs"), many_spans(SPANS))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@contextmanager
def receiving(protocol: str, mine: Signed, clients: Path | None = None) -> Iterator[tuple[str, Receiver | GrpcReceiver]]:
    """A receiver with TLS; with `clients`, it takes only clients that this CA has signed."""
    if protocol == "grpc":
        import grpc

        pair = (mine.key.read_bytes(), mine.certificate.read_bytes())
        credentials = grpc.ssl_server_credentials(
            [pair], clients.read_bytes() if clients else None, require_client_auth=bool(clients)
        )
        with GrpcReceiver(credentials=credentials) as grpc_receiver:
            yield grpc_receiver.endpoint, grpc_receiver
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mine.certificate, mine.key)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    with Receiver(tls=context) as receiver:
        yield receiver.url, receiver


def send(run: RunView, url: str, protocol: str, store: Path, **files: Path) -> Report:
    environ = {f"OTEL_EXPORTER_OTLP_{name.upper()}": str(path) for name, path in files.items()}
    target = resolve(environ, protocol=protocol, endpoint=url)
    assert target.secure
    return export_run(run, Options(target, patience=Patience(20.0, 0.05, 0.2), store=store))


def counts(report: Report) -> tuple[int, int, int]:
    return report.delivered, report.rejected, report.waiting


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_trusted_receiver_gets_every_span(run: RunView, authority: Authority, tmp_path: Path, protocol: str) -> None:
    with receiving(protocol, authority.signed("server")) as (url, receiver):
        report = send(run, url, protocol, tmp_path, certificate=authority.certificate)

    assert counts(report) == (SPANS, 0, 0), report.reason
    assert len(receiver.span_ids) == SPANS


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_client_certificates(run: RunView, authority: Authority, tmp_path: Path, protocol: str) -> None:
    client = authority.signed("client")
    with receiving(protocol, authority.signed("server"), clients=authority.certificate) as (url, receiver):
        report = send(
            run, url, protocol, tmp_path,
            certificate=authority.certificate, client_certificate=client.certificate, client_key=client.key,
        )  # fmt: skip

    assert counts(report) == (SPANS, 0, 0), report.reason
    assert len(receiver.span_ids) == SPANS


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_ca_is_said_at_once_and_everything_waits(
    run: RunView, authority: Authority, stranger: Authority, tmp_path: Path, protocol: str
) -> None:
    with receiving(protocol, authority.signed("server")) as (url, receiver):
        report = send(run, url, protocol, tmp_path, certificate=stranger.certificate)

    assert counts(report) == (0, 0, SPANS)
    assert report.reason.startswith("the receiver's certificate is not trusted")
    assert report.reason.endswith("OTEL_EXPORTER_OTLP_CERTIFICATE names the CA to trust")
    assert "\n" not in report.reason
    assert (report.retries, len(receiver.span_ids)) == (0, 0)
    assert len(outbox.pending(tmp_path)) == 1


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_a_missing_client_certificate_is_said(run: RunView, authority: Authority, tmp_path: Path, protocol: str) -> None:
    with receiving(protocol, authority.signed("server"), clients=authority.certificate) as (url, receiver):
        report = send(run, url, protocol, tmp_path, certificate=authority.certificate)

    assert counts(report) == (0, 0, SPANS)
    assert "client certificate" in report.reason
    assert not receiver.span_ids


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_a_receiver_without_tls_is_said(run: RunView, authority: Authority, tmp_path: Path, protocol: str) -> None:
    with Receiver() as receiver:
        url = receiver.url.replace("http:", "https:")
        report = send(run, url, protocol, tmp_path, certificate=authority.certificate)

    assert counts(report) == (0, 0, SPANS)
    assert "does not speak TLS" in report.reason


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", ["missing", "no certificate", "key alone", "key of another"])
def test_files_that_will_not_do_are_one_sentence_before_there_is_a_job(
    run: RunView, authority: Authority, tmp_path: Path, protocol: str, case: str
) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    one, other = authority.signed("one"), authority.signed("other")
    files = {
        "missing": {"certificate": tmp_path / "none.pem"},
        "no certificate": {"certificate": text},
        "key alone": {"client_key": one.key},
        "key of another": {"client_certificate": one.certificate, "client_key": other.key},
    }[case]

    with pytest.raises(UsageError) as caught:
        send(run, "https://127.0.0.1:9", protocol, tmp_path, **files)

    assert "\n" not in str(caught.value)
    assert outbox.pending(tmp_path) == []
