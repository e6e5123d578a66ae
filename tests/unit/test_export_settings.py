"""Where an export goes: the specification's rules for OTEL_EXPORTER_OTLP_*."""

from __future__ import annotations

import pytest

from cabtrace.errors import UsageError
from exporters.otlp.settings import parse_headers, resolve

P = "OTEL_EXPORTER_OTLP_"


@pytest.mark.parametrize(
    ("environ", "options", "expected"),
    [
        ({}, {}, "http://localhost:4318/v1/traces"),
        ({P + "ENDPOINT": "http://h:1"}, {}, "http://h:1/v1/traces"),
        ({P + "ENDPOINT": "http://h:1/base/"}, {}, "http://h:1/base/v1/traces"),
        ({P + "TRACES_ENDPOINT": "http://h:1"}, {}, "http://h:1/"),
        ({P + "TRACES_ENDPOINT": "http://h:1/x"}, {}, "http://h:1/x"),
        ({P + "TRACES_ENDPOINT": "http://a/x", P + "ENDPOINT": "http://b"}, {}, "http://a/x"),
        ({P + "TRACES_ENDPOINT": "http://a/x"}, {"endpoint": "http://c"}, "http://c/v1/traces"),
        ({P + "ENDPOINT": ""}, {"preset": "phoenix"}, "http://localhost:6006/v1/traces"),
        ({}, {"preset": "jaeger", "protocol": "http/json"}, "http://localhost:4318/v1/traces"),
        ({P + "PROTOCOL": "grpc"}, {}, "localhost:4317"),
        ({P + "PROTOCOL": "http/json", P + "TRACES_PROTOCOL": "grpc"}, {}, "localhost:4317"),
        ({}, {"protocol": "grpc", "endpoint": "http://[::1]:9/x"}, "[::1]:9"),
        ({}, {"protocol": "grpc", "endpoint": "https://h"}, "h:443"),
        ({}, {"endpoint": "https://l.example/api/public/otel"}, "https://l.example/api/public/otel/v1/traces"),
    ],
)
def test_endpoint(environ: dict[str, str], options: dict[str, str], expected: str) -> None:
    assert resolve(environ, **options).endpoint == expected


def test_grpc_is_insecure_only_where_said_or_local() -> None:
    assert not resolve({}, protocol="grpc", endpoint="http://far.example:4317").secure
    assert resolve({}, protocol="grpc", endpoint="far.example:4317").secure
    assert not resolve({P + "INSECURE": "true"}, protocol="grpc", endpoint="far.example:4317").secure
    assert not resolve({}, protocol="grpc", endpoint="127.0.0.1:4317").secure


def test_signal_variables_win_and_options_add_to_headers() -> None:
    environ = {
        P + "HEADERS": "a=1",
        P + "TRACES_HEADERS": "authorization=Bearer%20x,b=2",
        P + "TIMEOUT": "2500",
        P + "COMPRESSION": "gzip",
    }

    target = resolve(environ, headers="B=3")

    assert target.headers == {"authorization": "Bearer x", "b": "3"}
    assert (target.timeout_s, target.compression) == (2.5, "gzip")
    assert "Bearer" not in repr(target)


@pytest.mark.parametrize("text", ["novalue", "a=b,=c", "a b=c", "k=x%0d%0ay: z"])
def test_bad_headers_are_refused_without_repeating_values(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_headers(text)
    assert "novalue" not in str(error.value)


@pytest.mark.parametrize(
    ("environ", "options"),
    [
        ({P + "PROTOCOL": "carrier-pigeon"}, {}),
        ({P + "TIMEOUT": "soon"}, {}),
        ({P + "COMPRESSION": "zip"}, {}),
        ({}, {"endpoint": "ftp://x"}),
        ({}, {"endpoint": "http://user:secret@h"}),
        ({}, {"endpoint": "http://h:99999"}),
        ({}, {"endpoint": "http://h/a b", "protocol": "grpc"}),
    ],
)
def test_nonsense_is_one_sentence(environ: dict[str, str], options: dict[str, str]) -> None:
    with pytest.raises(UsageError) as error:
        resolve(environ, **options)
    assert "secret" not in str(error.value)
