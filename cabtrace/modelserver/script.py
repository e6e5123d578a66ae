"""Model scripts: what a scripted model says, turn by turn. The format is described in the documentation of models."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cabtrace.errors import ScriptError

ANY = "*"
_Count = Annotated[int, Field(ge=0, le=10**9)]
_Ms = Annotated[float, Field(ge=0, le=3_600_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ToolCall(_Part):
    """A tool that the model calls. `*` is the first shell-like tool that the request offers."""

    name: str = Field(min_length=1)
    arguments: dict[str, Any] = Field(default_factory=dict)


class Usage(_Part):
    """Tokens to report; what is left out is counted from the lengths of the texts."""

    input: _Count | None = None
    output: _Count | None = None
    cached: _Count = 0
    reasoning: _Count = 0


class Fault(_Part):
    """One thing that goes wrong. `times`: how often, for the same request, before it goes right; 0 is always."""

    status: Annotated[int, Field(ge=400, le=599)] | None = None
    retry_after_s: Annotated[float, Field(ge=0)] | None = None
    hang_s: Annotated[float, Field(gt=0)] | None = None
    cut_after_chunks: Annotated[int, Field(ge=0)] | None = None
    garbage: bool = False
    times: _Count = 0

    @model_validator(mode="after")
    def _one(self) -> Fault:
        given = (self.status, self.hang_s, self.cut_after_chunks, self.garbage or None)
        if sum(value is not None for value in given) != 1:
            raise ValueError("exactly one of status, hang_s, cut_after_chunks and garbage = true is needed")
        if self.retry_after_s is not None and self.status is None:
            raise ValueError("retry_after_s goes with status only")
        return self


class Turn(_Part):
    """One answer. Latencies in milliseconds: to the first token, and between streamed chunks."""

    first_token_ms: _Ms = 150.0
    chunk_ms: _Ms = 10.0
    text: str = ""
    tool_call: tuple[ToolCall, ...] = Field(default=(), strict=False)
    usage: Usage = Usage()
    fault: Fault | None = None


class ScriptedModel(_Part):
    """One model. `turn[k]` answers a request that holds k assistant messages; after the last comes a plain `Done.`.

    `without_tools` is the answer to requests that offer no tools (titles, summaries, agents that only talk); of several, the
    k-th is for a request that holds k of them already, and the last for all that come later.
    """

    name: str = Field(min_length=1)
    turn: tuple[Turn, ...] = Field(default=(), strict=False)
    without_tools: str | Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = "Done."


class Script(_Part):
    """A whole file."""

    schema_version: Literal["1"]
    model: tuple[ScriptedModel, ...] = Field(min_length=1, strict=False)


def load_script(path: Path) -> Script:
    """Reads a script. Raises ScriptError with the file and the key that is wrong."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ScriptError(f"the model script {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScriptError(f"the model script {path} is not valid TOML: {error}.") from error
    try:
        return Script.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        what = first["msg"].removeprefix("Value error, ")
        raise ScriptError(f"the model script {path} is not right at {key or 'the top'}: {what}.") from error


def find_model(scripts: tuple[Script, ...], name: str) -> ScriptedModel | None:
    """The model of that name, else the one that answers to any name."""
    models = [model for script in scripts for model in script.model]
    exact = next((model for model in models if model.name == name), None)
    return exact or next((model for model in models if model.name == ANY), None)
