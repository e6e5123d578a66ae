"""Real backends on loopback, started and ended by the tests. Where a program is missing the tests skip and say why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends import configs
from tests.backends.programs import Backend, server


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("jaeger")
    config = configs.jaeger(configs.IN_MEMORY)
    running, urls = server("jaeger", config, "--config", folder, configs.JAEGER_PORTS, ready="/api/v3/services")
    yield Backend(urls["grpc"], urls["http"], urls["query"])
    running.kill()  # nothing is to be kept


@pytest.fixture(scope="session")
def tempo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("tempo")
    running, urls = server("tempo", configs.TEMPO, "-config.file", folder, configs.TEMPO_PORTS, ready="/api/echo")
    yield Backend(urls["grpc"], urls["http"], urls["query"])
    running.kill()  # nothing is to be kept


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Backend]:
    running, urls = server("otelcol", configs.COLLECTOR, "--config", tmp_path, configs.COLLECTOR_PORTS)
    yield Backend(urls["grpc"], urls["http"], file=tmp_path / "out.jsonl")
    running.kill()  # nothing is to be kept
