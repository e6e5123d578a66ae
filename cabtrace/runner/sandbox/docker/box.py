"""A cell in a container: hardened, on a network whose only door is the recording proxy."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from docker.errors import APIError, NotFound

from cabtrace.errors import AgentNotFoundError, SandboxError
from cabtrace.limits import DEFAULT, Limits
from cabtrace.model import semconv as sc
from cabtrace.protocols import Command, SandboxFacts, SandboxPaths
from cabtrace.runner.sandbox.docker import door, profile
from cabtrace.runner.sandbox.docker.engine import connect, engine_errors, engine_site, gone, labelled, remove_labelled
from cabtrace.runner.sandbox.docker.files import ROOT, ContainerFiles
from cabtrace.runner.sandbox.docker.images import digest_of, find_image, image_config, image_path, repo_digests
from cabtrace.runner.sandbox.docker.process import DockerProcess
from cabtrace.runner.sandbox.mounts import check_mount
from cabtrace.runner.sandbox.owner import current_owner

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

_CHUNK_BYTES: Final = 1024 * 1024
_MIB: Final = 1024 * 1024
_NETWORK_TRIES: Final = 20
_STOP_S: Final = 15
_DEFAULTS: Final = {"LANG": "C.UTF-8"}


class DockerSandbox:
    """Implements `cabtrace.protocols.Sandbox`. One container serves the whole cell and is started anew for each command.

    Args:
        run_id: Put on the container and network as a label.
        image: A name, digest or id of an image that is here (`pull`: or can be fetched).
        user: Whom the task wants the agent to be; None to decide by the image.
        workdir: Absolute; the image's own WORKDIR for a foreign task, else /workspace, where None.
        cpus: Processors; 2 where None.
        memory_mb: Memory without swap; 4096 where None.
        foreign_task: Written for another harness: it runs as the image's own user, be it root.
        mounts: Folders of this machine, shown read-only once `check_mount` let them pass.
        pull: Whether a missing image is fetched.
        limits: Caps of what is copied.
        client_factory: Makes the client; the environment's engine where None.
    """

    kind = "docker"

    def __init__(
        self,
        run_id: str,
        image: str,
        *,
        user: str | int | None = None,
        workdir: str | None = None,
        cpus: float | None = None,
        memory_mb: int | None = None,
        foreign_task: bool = False,
        mounts: Sequence[str] = (),
        task: str = "",
        pull: bool = False,
        limits: Limits = DEFAULT,
        client_factory: Callable[[], DockerClient] | None = None,
    ) -> None:
        self._run_id, self._image_name = run_id, image
        self._wanted_user = "" if user is None else str(user)
        self._wanted_workdir, self._foreign = workdir or "", foreign_task
        standard = profile.Resources()
        self._resources = profile.Resources(
            cpus=cpus or standard.cpus, memory_bytes=memory_mb * _MIB if memory_mb else standard.memory_bytes
        )
        self._mounts = [str(check_mount(mount)) for mount in mounts]
        self._labels = profile.cell_labels(run_id, str(current_owner()), task)
        self._pull, self._limits, self._client_factory = pull, limits, client_factory
        self._client: DockerClient | None = None
        self._container_id = ""
        self._identity = ROOT
        self._path = profile.DEFAULT_PATH
        self._sets_size = False  # whether the image has the program with which the start script sets the terminal's size
        self._process: DockerProcess | None = None
        self._files = ContainerFiles(self._fetch, self._store, limits)
        self._attributes: dict[str, str | int | Sequence[str]] = {}

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """(path, reason) of what `put` and `get` left out."""
        return self._files.skipped

    def open(self) -> SandboxFacts:
        """Makes the network and the container. Raises SandboxError; then nothing is left behind."""
        try:
            self._client = connect(self._client_factory)
            return self._open(self._client)
        except BaseException:
            self.close()
            raise

    def reopen(self) -> SandboxPaths:
        """Takes up the container that a killed runner left, stopped then. Raises SandboxError where it is gone.

        Where the agent worked is not known.
        """
        self._client = connect(self._client_factory)
        found = [item.id for item in labelled(self._client, self._run_id) if item.kind == "container"]
        if not found:
            raise SandboxError("its container is no longer there.", hint="`cabtrace gc` removes it.")
        self._container_id = found[0]
        self._signal("SIGKILL")
        with engine_errors("stop the container"):
            self._client.api.wait(self._container_id, timeout=_STOP_S)
        return SandboxPaths(profile.WORKSPACE, profile.HOME, profile.TESTS, profile.LOGS, profile.SOLUTION)

    def release(self) -> None:
        """Lets go of what was reopened; it stays."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def put(self, source: Path, target: str) -> None:
        """Copies a folder in. The verifier's folders are made fresh: nothing that the agent left is in them."""
        self._stop()
        self._files.put(source, target, self._identity)

    def get(self, source: str, target: Path) -> None:
        """Copies a folder out."""
        self._stop()
        self._files.get(source, target)

    def start(self, command: Command) -> DockerProcess:
        """Starts the container with a command; all that ran in it before is gone.

        Raises:
            AgentNotFoundError: The image has no such program.
            SandboxError: The engine refuses.
        """
        self._stop()
        api = self._engine().api
        path = command.env.get("PATH") or self._path
        if not command.argv or not any(map(self._files.exists, profile.search_paths(command.argv[0], path, command.cwd))):
            name = command.argv[0] if command.argv else ""
            raise AgentNotFoundError(
                f"The image {self._image_name} has no program {name!r}.", hint="Install it in the image, or give its full path."
            )
        env = {"HOME": profile.HOME, **command.env}
        script = profile.start_script(command.argv, env, command.cwd, command.columns, command.rows, _DEFAULTS)
        self._files.put_script(script, self._identity)
        with engine_errors("start the container"):
            stream = api.attach_socket(self._container_id, params={"stream": 1, "stdout": 1, "stderr": 1})
            api.start(self._container_id)
            if not self._sets_size:
                # Only then: it sends a signal, which may come at any point of the command. It may also have ended already.
                with contextlib.suppress(APIError):
                    api.resize(self._container_id, command.rows, command.columns)
        self._process = DockerProcess(stream, self._wait, self._signal, self._attributes)
        return self._process

    def close(self) -> list[str]:
        """Removes the container, its volumes and its network."""
        client, self._client = self._client, None
        if client is None:
            return []
        removed: list[str] = []
        try:
            if self._process is not None:
                self._process.close()
                self._process = None
            removed.extend(f"{item.kind} {item.name}" for item in labelled(client, self._run_id) if _removed(client, item))
        except SandboxError:
            # The engine is gone: what is left carries our labels, and `cabtrace gc` finds it.
            removed.append("nothing more: the Docker engine does not answer")
        finally:
            client.close()
        return removed

    def _open(self, client: DockerClient) -> SandboxFacts:
        image = find_image(client, self._image_name, pull=self._pull)
        way, network = self._make_network(client)
        config = image_config(image)
        image_user = str(config.get("User") or "")
        user = profile.choose_user(image_user, self._wanted_user, foreign_task=self._foreign)
        workdir = profile.choose_workdir(str(config.get("WorkingDir") or ""), self._wanted_workdir, foreign_task=self._foreign)
        settings = profile.container_settings(
            resources=self._resources,
            user=user,
            workdir=workdir,
            labels=self._labels,
            network=network,
            internal=way.internal,
            extra_hosts=way.extra_hosts,
            mounts=self._mounts,
        )
        with engine_errors(f"make a container of the image {self._image_name}"):
            container = client.containers.create(str(image.id), name=f"cabtrace-{self._run_id[:20]}", **settings)
        self._container_id = str(container.id)
        self._path = image_path(image) or profile.DEFAULT_PATH
        if not self._files.exists("/bin/sh"):
            raise SandboxError(f"The image {self._image_name} has no /bin/sh.", hint="cabtrace starts commands through it.")
        self._sets_size = any(map(self._files.exists, profile.search_paths("stty", self._path, "/")))
        self._identity = profile.resolve_identity(user, self._files.passwd())
        self._files.make_folders([(profile.ROOM, ROOT), (profile.HOME, self._identity)])
        self._files.adopt(workdir, self._identity)
        return self._facts(image, way, user, workdir)

    def _make_network(self, client: DockerClient) -> tuple[door.Door, str]:
        """The cell's network and how the agent reaches the proxy through it."""
        site = engine_site(client)
        name = f"cabtrace-{self._run_id[:20]}"
        with engine_errors("make the cell's network"):
            network = client.networks.create(name, driver="bridge", internal=True, labels=self._labels)
            network.reload()
            gateway = _gateway(network.attrs)
            way = door.choose_door(
                site,
                gateway,
                gateway_is_here=bool(gateway) and door.can_bind(gateway),
                own_address=door.routed_address(door.engine_host(site.url) or gateway),
            )
            if not way.internal:
                network.remove()
                network = client.networks.create(name, driver="bridge", labels=self._labels)
        return way, str(network.name)

    def _facts(self, image: Image, way: door.Door, user: str, workdir: str) -> SandboxFacts:
        self._attributes = {
            "container.id": self._container_id,
            "container.name": f"cabtrace-{self._run_id[:20]}",
            "container.runtime.name": "docker",
            "container.image.name": self._image_name,
            "container.image.id": str(image.id),
            "container.image.repo_digests": repo_digests(image),
            sc.CONTAINER_MEMORY_LIMIT: self._resources.memory_bytes,
        }
        return SandboxFacts(
            paths=SandboxPaths(workdir, profile.HOME, profile.TESTS, profile.LOGS, profile.SOLUTION),
            listen_host=way.listen_host,
            reach_host=way.reach_host,
            image=self._image_name,
            image_digest=digest_of(image),
            isolated=way.internal,
            left_open=(*way.left_open, *profile.left_open(user, self._mounts, door.exposed_ports())),
            attributes=self._attributes,
        )

    def _engine(self) -> DockerClient:
        if self._client is None:
            raise SandboxError("The sandbox is not open.")
        return self._client

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.close()

    def _wait(self) -> tuple[int, bool]:
        api = self._engine().api
        with engine_errors("learn how the container ended"):
            code = int(api.wait(self._container_id, timeout=None)["StatusCode"])
            state: dict[str, Any] = api.inspect_container(self._container_id).get("State") or {}
            return code, bool(state.get("OOMKilled"))

    def _signal(self, name: str) -> None:
        with engine_errors(f"send {name} to the container"):
            try:
                self._engine().api.kill(self._container_id, signal=name)
            except APIError as error:
                if not gone(error):
                    raise

    def _fetch(self, path: str) -> Iterable[bytes] | None:
        with engine_errors(f"read {path} in the container"):
            try:
                chunks, _ = self._engine().api.get_archive(self._container_id, path, chunk_size=_CHUNK_BYTES)
            except NotFound as error:
                if "no such container" in str(error.explanation).lower():
                    raise
                return None
        return chunks  # type: ignore[no-any-return]  # an untyped generator of bytes

    def _store(self, archive: IO[bytes]) -> None:
        with engine_errors("copy files into the container"):
            self._engine().api.put_archive(self._container_id, "/", archive)


def _gateway(attributes: dict[str, Any]) -> str:
    for entry in (attributes.get("IPAM") or {}).get("Config") or []:
        address = str(entry.get("Gateway", "")).split("/")[0]
        if address and ":" not in address:
            return address
    return ""


def _removed(client: DockerClient, item: Any) -> bool:
    for _ in range(_NETWORK_TRIES):
        try:
            return remove_labelled(client, item)
        except SandboxError:
            # A network lets go of a removed container only after a moment.
            if item.kind != "network":
                raise
            time.sleep(0.1)
    return remove_labelled(client, item)
