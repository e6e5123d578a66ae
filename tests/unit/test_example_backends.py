"""examples/backends: files that parse, images that are pinned, ports on loopback only, queries that ask for what is recorded."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cabtrace.model import semconv as sc

yaml = pytest.importorskip("yaml", reason="pyyaml is not installed")
FOLDER = Path(__file__).parents[2] / "examples/backends"
COMPOSE = [FOLDER / "jaeger.yaml", FOLDER / "tempo.yaml"]
DASHBOARD = json.loads((FOLDER / "grafana/dashboards/cells.json").read_bytes())
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]
NAMES = {value for name, value in vars(sc).items() if name.isupper() and isinstance(value, str)}


def services(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text())["services"])


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda p: p.name)
def test_every_file_is_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize("path", COMPOSE, ids=lambda p: p.name)
def test_images_are_pinned_to_a_version(path: Path) -> None:
    for name, service in services(path).items():
        assert re.fullmatch(r"[a-z]+/[a-z]+:\d+\.\d+\.\d+", service["image"]), name


@pytest.mark.parametrize("path", COMPOSE, ids=lambda p: p.name)
def test_ports_are_this_machines_only(path: Path) -> None:
    ports = [port for service in services(path).values() for port in service.get("ports", ())]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("path", COMPOSE, ids=lambda p: p.name)
def test_what_is_mounted_is_there(path: Path) -> None:
    named = yaml.safe_load(path.read_text()).get("volumes") or {}
    for service in services(path).values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert source in named or (FOLDER / source).exists(), mount


def test_grafana_finds_the_dashboard_and_the_datasource_that_it_names() -> None:
    (datasource,) = yaml.safe_load((FOLDER / "grafana/datasources/tempo.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((FOLDER / "grafana/dashboards/provider.yaml").read_text())["providers"]
    mounts = dict(m.split(":")[:2] for m in services(FOLDER / "tempo.yaml")["grafana"]["volumes"])
    host, port = datasource["url"].removeprefix("http://").split(":")

    assert {target["datasource"]["uid"] for target in TARGETS} == {datasource["uid"]}
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    assert host in services(FOLDER / "tempo.yaml")
    assert int(port) == yaml.safe_load((FOLDER / "tempo-config.yaml").read_text())["server"]["http_listen_port"]


def test_tempo_answers_the_queries_of_metrics_that_the_dashboard_asks() -> None:
    config = yaml.safe_load((FOLDER / "tempo-config.yaml").read_text())

    assert any("_over_time" in target["query"] for target in TARGETS)
    assert config["overrides"]["defaults"]["metrics_generator"]["processors"] == ["local-blocks"]
    assert config["metrics_generator"]["processor"]["local_blocks"]["filter_server_spans"] is False


def test_the_dashboard_shows_what_is_asked_of_it() -> None:
    text = " ".join(panel["title"].lower() for panel in DASHBOARD["panels"])

    for word in ("pass rate", "wall time", "tokens", "by agent and model", "did not pass", "trace"):
        assert word in text
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("query", sorted({t["query"] for t in TARGETS}))
def test_queries_ask_for_names_that_are_recorded(query: str) -> None:
    asked = re.findall(r"(?:span|resource|event)\.([a-z_.]+)", query)

    assert [name for name in asked if name not in NAMES] == []
    assert query.count("{") == query.count("}") > 0


@pytest.mark.backends
@pytest.mark.parametrize(
    ("program", "argv"),
    [
        ("tempo", ["-config.file", str(FOLDER / "tempo-config.yaml"), "-config.verify=true"]),
        ("otelcol", ["validate", "--config", str(FOLDER / "collector.yaml")]),
    ],
    ids=["tempo", "collector"],
)
def test_the_real_programs_take_their_configuration(program: str, argv: list[str], tmp_path: Path) -> None:
    from tests.backends.programs import program as found

    done = subprocess.run([found(program), *argv], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.docker
@pytest.mark.parametrize("path", COMPOSE, ids=lambda p: p.name)
def test_compose_takes_the_files(path: Path) -> None:
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    done = subprocess.run(["docker", "compose", "-f", str(path), "config", "--quiet"], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
