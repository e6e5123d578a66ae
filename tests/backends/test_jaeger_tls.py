"""A real Jaeger that takes TLS with client certificates only, as a cluster's gateway does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporters.otlp.export import Options, export_run
from exporters.otlp.retry import Patience
from exporters.otlp.settings import resolve
from tests.backends import configs
from tests.backends.programs import Backend, kept, program, server
from tests.support.certificates import Authority
from tests.support.export_runs import many_spans, run_of, with_trace

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("backends")]
PROTOCOLS = ("grpc", "http/protobuf", "http/json")
SPANS = 200


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def jaeger(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    program("jaeger")
    mine = authority.signed("jaeger")
    tls = f'cert_file: "{mine.certificate}", key_file: "{mine.key}", client_ca_file: "{authority.certificate}"'
    folder = tmp_path_factory.mktemp("jaeger")
    config = configs.jaeger(configs.IN_MEMORY, tls)
    running, urls = server("jaeger", config, "--config", folder, configs.JAEGER_PORTS, ready="/api/v3/services")
    yield Backend(*(urls[name].replace("http:", "https:") for name in ("grpc", "http")), urls["query"])
    running.kill()  # nothing is to be kept


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_with_our_certificate_everything_arrives(authority: Authority, jaeger: Backend, tmp_path: Path, protocol: str) -> None:
    client = authority.signed("client")
    environ = {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority.certificate),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(client.certificate),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(client.key),
    }
    number = 0xA000 + PROTOCOLS.index(protocol)
    run = run_of(tmp_path, with_trace(list(many_spans(SPANS)), number))

    report = export_run(run, Options(resolve(environ, protocol=protocol, endpoint=jaeger.endpoint(protocol))))

    assert (report.delivered, report.rejected, report.waiting) == (SPANS, 0, 0), report.reason
    assert len(kept("jaeger", jaeger, f"{number:032x}", SPANS)) == SPANS


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_without_one_it_says_so(authority: Authority, jaeger: Backend, tmp_path: Path, protocol: str) -> None:
    environ = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority.certificate)}
    run = run_of(tmp_path, many_spans(SPANS))

    target = resolve(environ, protocol=protocol, endpoint=jaeger.endpoint(protocol))
    report = export_run(run, Options(target, patience=Patience(20.0, 0.05, 0.2), store=tmp_path))

    assert (report.delivered, report.rejected, report.waiting) == (0, 0, SPANS)
    assert "wants a client certificate" in report.reason
