"""Plugins: named sets of environment keys, extra arguments and files in the agent's home, laid over an agent's own launch."""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cabtrace.errors import UsageError
from cabtrace.protocols import Launch

if TYPE_CHECKING:
    from cabtrace.protocols import Agent, LaunchContext

FACTORY: Final = "factory"
MODIFIED: Final = "modified"
_FILE_BYTES: Final = 1024 * 1024
_EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin. `{home}` and `{workdir}` in its words are filled in; no `agents` means that it is for any."""

    name: str
    agents: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    env_from: tuple[str, ...] = ()  # keys whose values are this machine's
    argv: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)  # by path below the agent's home


@dataclass(frozen=True, slots=True)
class Applied:
    """A launch with its plugins: the names of those that are in it, and why the others are not."""

    launch: Launch
    applied: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def behavior_mode(self) -> str:
        """`factory` where nothing was laid over the agent's own launch."""
        return MODIFIED if self.applied else FACTORY


def apply_plugins(
    agent: Agent, context: LaunchContext, stack: Sequence[Plugin], environ: Mapping[str, str] = os.environ
) -> Applied:
    """The agent's launch with the stack laid over it, first to last.

    A plugin is applied whole or not at all. It is skipped where it is for other agents, needs a variable that is not set
    here, or would change what the adapter itself sets: the endpoint, the key, the telemetry. A later plugin may change what
    an earlier one set. JSON files of the same name are merged. Extra arguments come after the user's own, which for the agent
    `command` begin with the program.
    """
    own = agent.launch(context)
    applied: list[Plugin] = []
    skipped: list[tuple[str, str]] = []
    for plugin in stack:
        reason = _reason_to_skip(plugin, agent.name, own, environ)
        if reason:
            skipped.append((plugin.name, reason))
        else:
            applied.append(plugin)
    if not applied:
        return Applied(own, (), tuple(skipped))
    extra = tuple(_filled(word, context) for plugin in applied for word in plugin.argv)
    launch = agent.launch(dataclasses.replace(context, argv=(*context.argv, *extra)))
    env, files = dict(launch.env), dict(launch.files)
    for plugin in applied:
        env |= {key: environ[key] for key in plugin.env_from}
        env |= {key: _filled(value, context) for key, value in plugin.env.items()}
        for path, content in plugin.files.items():
            filled = _filled(content.decode("utf-8", "surrogateescape"), context).encode("utf-8", "surrogateescape")
            files[path] = _merged(files[path], filled) or filled if path in files else filled
    return Applied(Launch(launch.argv, env, files), tuple(plugin.name for plugin in applied), tuple(skipped))


def load_plugins(path: Path) -> tuple[Plugin, ...]:
    """The plugins of a TOML file, in its order. Raises UsageError with the file and the key that is wrong."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"the plugin file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the plugin file {path} is not valid TOML: {error}.", hint="Correct that line.") from error
    try:
        tables = _File.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        what = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"the plugin file {path} is not right at {key or 'the top'}: {what}.") from error
    return tuple(_plugin(table, path) for table in tables.plugin)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _FileTable(_Table):
    """A file in the agent's home: its content, or a file beside the TOML that holds it."""

    path: str = Field(min_length=1)
    content: str | None = None
    source: str | None = None

    @model_validator(mode="after")
    def _sound(self) -> _FileTable:
        if (self.content is None) == (self.source is None):
            raise ValueError("exactly one of content and source is needed")
        parts = PurePosixPath(self.path).parts
        if PurePosixPath(self.path).is_absolute() or ".." in parts or "\0" in self.path:
            raise ValueError("a path below the agent's home is needed")
        return self


class _PluginTable(_Table):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    agents: tuple[str, ...] = Field(default=(), strict=False)
    env: dict[_EnvName, str] = Field(default_factory=dict)
    env_from: tuple[_EnvName, ...] = Field(default=(), strict=False)
    argv: tuple[str, ...] = Field(default=(), strict=False)
    file: tuple[_FileTable, ...] = Field(default=(), strict=False)


class _File(_Table):
    schema_version: Literal["1"]
    plugin: tuple[_PluginTable, ...] = Field(min_length=1, strict=False)


def _plugin(table: _PluginTable, path: Path) -> Plugin:
    files = {str(PurePosixPath(entry.path)): _content(entry, path) for entry in table.file}
    return Plugin(table.name, table.agents, dict(table.env), table.env_from, table.argv, files)


def _content(entry: _FileTable, path: Path) -> bytes:
    if entry.content is not None:
        return entry.content.encode()
    source = path.parent / (entry.source or "")
    try:
        with source.open("rb") as handle:
            data = handle.read(_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the plugin file {path} names {source}, which cannot be read: {error.strerror}.") from error
    if len(data) > _FILE_BYTES:
        raise UsageError(f"the plugin file {path} names {source}, which is larger than {_FILE_BYTES} bytes.")
    return data


def _reason_to_skip(plugin: Plugin, agent: str, own: Launch, environ: Mapping[str, str]) -> str:
    if plugin.agents and agent not in plugin.agents:
        return f"it is for {', '.join(plugin.agents)}"
    missing = [key for key in plugin.env_from if not environ.get(key)]
    if missing:
        return f"{missing[0]} is not set on this machine"
    taken = sorted({*plugin.env, *plugin.env_from} & set(own.env))
    if taken:
        return f"it would set {taken[0]}, which the adapter itself sets"
    blocked = [path for path, content in plugin.files.items() if path in own.files and not _merged(own.files[path], content)]
    return f"it would replace {blocked[0]}, which the adapter itself writes" if blocked else ""


def _filled(words: str, context: LaunchContext) -> str:
    return words.replace("{home}", context.paths.home).replace("{workdir}", context.paths.workdir)


def _merged(first: bytes, second: bytes) -> bytes:
    """Two JSON objects as one; b"" where they are none, or where the second changes what the first says."""
    try:
        one, other = json.loads(first), json.loads(second)
        return json.dumps(_union(one, other)).encode()
    except (ValueError, RecursionError):
        return b""


def _union(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: _union(one[key], value) if key in one else value for key, value in other.items()}}
    if one == other:
        return one
    raise ValueError("they differ")
