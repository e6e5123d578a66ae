"""The same task in a container and in a local working copy: the same story, the same verdict; the box is closed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.model import semconv as sc
from cabtrace.model.outcome import Cause
from cabtrace.modelserver.script import Script, ScriptedModel, ToolCall, Turn
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.cell import run_cell
from cabtrace.runner.sandbox.owner import RUN_LABEL
from cabtrace.runner.spec import CellResult, CellSpec, Stats
from cabtrace.runner.task import load_task
from cabtrace.store.reader import RunView
from cabtrace.store.verify import verify_run
from tests.support.cli_rig import entries, make_task

pytestmark = pytest.mark.docker

IMAGE = "cabtrace-test/base:bookworm"
KEY = "the-real-key-of-the-docker-test"
GIB = 1024**3


def shell(command: str, text: str) -> Turn:
    return Turn(text=text, tool_call=(ToolCall(name="*", arguments={"command": command}),))


RIGHT = ScriptedModel(
    name="right",
    turn=(
        shell("cat readme.txt; id -u; ls", "I look."),
        shell("echo done > readme.txt; mkdir -p new && echo x > new/file.txt; sleep 1", "I change it."),
        Turn(text="It is done."),
    ),
)
WRONG = ScriptedModel(name="wrong", turn=(shell("echo wrong > readme.txt; false", "I guess."), Turn(text="It is surely done.")))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ModelServer([Script(schema_version="1", model=(RIGHT, WRONG))], speed=0, api_key=KEY)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    import docker

    client = docker.from_env()
    yield client
    client.close()


class Inspector:
    """Looks at the container while the agent runs in it."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.seen: list[dict[str, Any]] = []
        self.networks: list[dict[str, Any]] = []
        self._mutex = threading.Lock()

    def phase(self, name: str, detail: str = "") -> None:
        pass

    def stats(self, stats: Stats) -> None:
        with self._mutex:
            if self.seen or not stats.calls:
                return
            found = self._engine.api.containers(filters={"label": RUN_LABEL})
            self.seen = [self._engine.api.inspect_container(c["Id"]) for c in found]
            self.networks = [
                self._engine.api.inspect_network(name)
                for c in self.seen
                for name in c["NetworkSettings"]["Networks"]
                if name != "none"
            ]


def cell(folder: Path, sandbox: str, model: str, endpoint: str, progress: Any = None) -> CellResult:
    task = make_task(
        folder / "task",
        test_sh='test "$(cat "$CABTRACE_WORKDIR/readme.txt")" = done\n',
        more=f'[environment]\ndocker_image = "{IMAGE}"\n',
    )
    spec = CellSpec(
        task=load_task(task),
        agent=find_agent("reference"),
        model=model,
        store=folder / f"store-{sandbox}",
        scratch=folder / f"scratch-{sandbox}",
        sandbox=sandbox,
        endpoint=endpoint,
        api_key=KEY,
    )
    result = run_cell(spec, progress)
    assert entries(folder / f"scratch-{sandbox}") == []
    return result


def tree(view: RunView) -> Counter[tuple[str, str]]:
    """How often each kind of span hangs under each kind of parent."""
    spans = {span.span_id: span for span in view.spans()}
    kinds = {span_id: span.text(sc.SPAN_KIND) for span_id, span in spans.items()}
    return Counter((kinds[s.span_id], kinds.get(s.parent_id or "", "")) for s in spans.values())


@pytest.mark.slow
@pytest.mark.parametrize(("model", "cause"), [("right", Cause.PASSED), ("wrong", Cause.TESTS_FAILED)])
def test_container_and_working_copy_tell_the_same_story(model: str, cause: Cause, tmp_path: Path, endpoint: str) -> None:
    results = {sandbox: cell(tmp_path, sandbox, model, endpoint) for sandbox in ("docker", "local")}

    views = {sandbox: RunView(result.path) for sandbox, result in results.items()}
    assert {r.cause for r in results.values()} == {cause}, {s: r.detail for s, r in results.items()}
    assert tree(views["docker"]) == tree(views["local"])
    assert tree(views["docker"])[sc.SpanKind.MODEL_CALL, sc.SpanKind.CONTAINER] == len(
        RIGHT.turn if model == "right" else WRONG.turn
    )
    assert views["docker"].changes() == views["local"].changes()
    assert views["docker"].patch() == views["local"].patch()
    assert [c.finish_reasons for c in views["docker"].calls()] == [c.finish_reasons for c in views["local"].calls()]
    for view in views.values():
        assert verify_run(view.path).problems == ()
        assert view.header.completeness.model_calls == "complete"
    assert views["docker"].header.sandbox.isolated
    assert views["docker"].header.sandbox.image_digest.startswith("sha256:")
    assert not views["local"].header.sandbox.isolated
    assert views["local"].header.sandbox.left_open


@pytest.mark.slow
def test_the_container_is_the_hardened_profile_and_knows_no_key(tmp_path: Path, endpoint: str, engine: Any) -> None:
    inspector = Inspector(engine)

    result = cell(tmp_path, "docker", "right", endpoint, inspector)

    assert result.cause is Cause.PASSED, result.detail
    [found] = inspector.seen
    host = found["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["Privileged"], host["Init"]) == (False, True)
    assert host["PidsLimit"] == 512
    assert 0 < host["Memory"] == host["MemorySwap"] <= 4 * GIB
    assert 0 < host["NanoCpus"] <= 4 * 10**9
    assert (host["IpcMode"], host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("private", "", "", "")
    assert host["NetworkMode"] not in ("host", "bridge", "default")
    assert not host["Binds"]
    assert not host["Devices"]
    assert not host["PortBindings"]
    assert found["Mounts"] == []
    assert host["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "1"}
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert {u["Name"]: u["Hard"] for u in host["Ulimits"]}["core"] == 0
    assert found["Config"]["User"] not in ("", "0", "root", "0:0")
    assert found["Config"]["Labels"][RUN_LABEL] == result.header.run_id
    assert all(network["Internal"] for network in inspector.networks)
    assert KEY not in str(found) + str(inspector.networks)
    # and nothing of it is left
    labelled = {"label": f"{RUN_LABEL}={result.header.run_id}"}
    assert engine.api.containers(all=True, filters=labelled) == []
    assert engine.api.networks(filters=labelled) == []


@pytest.mark.slow
def test_an_image_that_is_not_there(tmp_path: Path) -> None:
    from tests.support.cli_rig import CommandLine, one_sentence

    cabtrace = CommandLine(tmp_path)
    task = make_task(tmp_path / "task")

    done = cabtrace.run("run", "--task", str(task), "--agent", "nop", "--image", "cabtrace-test/no-such-image:never")

    assert done.code == 3
    assert "cabtrace-test/no-such-image" in one_sentence(done)
    assert entries(cabtrace.store) == []
    assert entries(cabtrace.scratch) == []


@pytest.mark.slow
def test_a_program_that_the_image_does_not_have(tmp_path: Path) -> None:
    spec = CellSpec(
        task=load_task(make_task(tmp_path / "task")),
        agent=find_agent("command"),
        model="",
        store=tmp_path / "store",
        scratch=tmp_path / "scratch",
        image=IMAGE,
        agent_argv=("no-such-program-xyz",),
    )

    result = run_cell(spec)

    assert result.cause in (Cause.SANDBOX_FAILED, Cause.AGENT_ERROR)
    assert "no-such-program-xyz" in result.detail or "command not found" in result.detail
    assert verify_run(result.path).problems == ()
