"""A recorded run as a source of answers, and the cell that asks for them again. Pure but for reading the run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.diagnose.diff.divergence import difference
from cabtrace.diagnose.normal import normal_key, normal_value
from cabtrace.errors import TaskError, UsageError
from cabtrace.model import semconv as sc
from cabtrace.runner.secrets import make_redactor, new_token
from cabtrace.runner.spec import CellSpec

if TYPE_CHECKING:
    from cabtrace.agents.plugins import Plugin
    from cabtrace.model.model_call import ModelCall
    from cabtrace.runner.task import Task
    from cabtrace.store.reader import RunView

SWEEP = "rerun"
_HELD = ("cancelled", "agent_disconnected")
_REDACTED = re.compile(r"\[redacted:[A-Za-z0-9_.-]+\]")


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What one recorded call was asked and answered. `pieces` are (seconds since the request, text).

    `status` None: there was no answer at all. `held`: the agent, or the end of the cell, broke it off before it was complete.
    """

    index: int
    call_id: str
    api: str
    path: str
    request_hash: str
    key: str
    request: Any
    status: int | None
    headers: dict[str, str]
    pieces: tuple[tuple[float, str], ...]
    error: str
    held: bool


@dataclass(slots=True)
class Recording:
    """The answers of a run, each to be given once: to the request of equal hash, else of equal meaning, in the order recorded.

    `clean` makes an incoming request look as a recorded one does: secrets and the places of this run replaced.
    """

    answers: tuple[RecordedAnswer, ...]
    clean: Callable[[Any], Any] = field(default=lambda value: value)
    _given: set[str] = field(default_factory=set)

    def take(self, api: str, path: str, request_hash: str, body: Any) -> RecordedAnswer | None:
        """The answer to a request, which is spent then; None where there is none left for it."""
        left = self.left()
        found = next((a for a in left if a.request_hash == request_hash and a.api == api), None)
        if found is None:
            key = request_key(api, path, self.clean(body))
            found = next((a for a in left if a.key == key), None)
        if found is not None:
            self._given.add(found.call_id)
        return found

    def left(self) -> list[RecordedAnswer]:
        """What was not given yet."""
        return [a for a in self.answers if a.call_id not in self._given]

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that were asked."""
        named = (a.request.get("model") for a in self.answers if isinstance(a.request, dict))
        return tuple(dict.fromkeys(name for name in named if isinstance(name, str)))

    def explain(self, api: str, body: Any) -> tuple[str, str]:
        """A sentence and a short difference: why there is no answer to this request."""
        left = [a for a in self.left() if a.api == api] or self.left()
        if not left:
            return f"The recording ends after {len(self.answers)} model calls, and the agent asked for one more.", ""
        nearest = left[0]
        sentence = f"The agent asked something that the recording has no answer for; next in it is model call {nearest.index}."
        return sentence, difference(pretty(nearest.request), pretty(self.clean(body)))


def request_key(api: str, path: str, body: Any) -> str:
    """Equal for requests that ask the same in two runs; the body has no secrets and no places of the run in it any more."""
    return normal_key([api, path.partition("?")[0], body])


def pretty(body: Any) -> str:
    """A request as lines that can be compared."""
    data = orjson.dumps(normal_value(body), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str)
    return data.decode("utf-8", "replace").replace("\\n", "\n")


def read_recording(run: RunView, clean: Callable[[Any], Any]) -> Recording:
    """The answers of a run. Raises UsageError where what was asked and answered was not recorded."""
    answers = tuple(_answer(run, call) for call in run.calls())
    if answers and all(a.request is None for a in answers):
        raise UsageError(f"{run.path} holds no bodies of its model calls.", hint="It was recorded with --no-bodies.")
    return Recording(answers, clean)


def _answer(run: RunView, call: ModelCall) -> RecordedAnswer:
    body = run.call_body(call.call_id)
    pieces: list[tuple[float, str]] = []
    at = 0
    text = body.response_text or ""
    for time_ns, chars in body.chunks:
        pieces.append((max(0, time_ns - call.started_ns) / 1e9, text[at : at + chars]))
        at += chars
    if at < len(text):
        pieces.append((pieces[-1][0] if pieces else 0.0, text[at:]))
    error = body.error or call.error
    return RecordedAnswer(
        index=call.index,
        call_id=call.call_id,
        api=call.api,
        path=body.path,
        request_hash=call.request_hash,
        key=request_key(call.api, body.path, body.request),
        request=body.request,
        status=body.status if body.status is not None else call.http_status,
        headers={name: value for name, value in body.response_headers.items() if name != "content-encoding"},
        pieces=tuple(pieces),
        error=error,
        held=error in _HELD or not body.complete,
    )


def request_cleaner(spec: CellSpec) -> Callable[[Any], Any]:
    """What makes a request of that cell look as a recorded one does: its folder is `<scratch>`, secrets are named."""
    place = re.compile(re.escape(str(spec.scratch)) + r"/[0-9A-Za-z_-]{1,64}(?![0-9A-Za-z_-])")
    redactor = make_redactor(spec, new_token(), spec.scratch)

    def named(value: Any) -> Any:
        if isinstance(value, str):
            return place.sub("<scratch>", value)
        if isinstance(value, dict):
            return {key: named(item) for key, item in value.items()}
        return [named(item) for item in value] if isinstance(value, list) else value

    return lambda value: redactor.value(named(value))


def rerun_spec(run: RunView, task: Task, *, store: Path, scratch: Path, api_key: str = "") -> CellSpec:
    """The same cell again, without an endpoint yet. Raises UsageError where the record does not say enough."""
    from cabtrace.agents.registry import find_agent

    header = run.header
    terminal = run.terminal_header()
    if header.sandbox.kind == "unknown":
        raise UsageError(f"{run.path} does not say in which sandbox it ran.", hint="An imported run cannot be run again.")
    return CellSpec(
        task=task,
        agent=find_agent(header.agent.name),
        model="" if header.model == "none" else header.model,
        store=store,
        scratch=scratch,
        sandbox=header.sandbox.kind,
        image=header.sandbox.image,
        api_key=api_key,
        agent_argv=_agent_argv(run),
        sweep=SWEEP,
        timeout_s=header.timeout_s,
        columns=terminal.columns if terminal else 100,
        rows=terminal.rows if terminal else 30,
        provisional=header.provisional,
        rerun_of=header.run_id,
    )


def _agent_argv(run: RunView) -> tuple[str, ...]:
    """What stood after `--` on the command line."""
    plugins = next((s for s in run.spans() if s.name == "applied_plugins"), None)
    found = plugins.attributes.get(sc.EXTRA_ARGS) if plugins is not None else None
    words = tuple(str(word) for word in found) if isinstance(found, list | tuple) else ()
    if any(_REDACTED.search(word) for word in words):
        raise UsageError(
            f"The command line of {run.path} held a secret, which was not recorded.", hint="Run it anew with `cabtrace run`."
        )
    return words


def choose_task(run: RunView, given: Task | None, known: Iterable[Task]) -> tuple[Task, str]:
    """The task to run and what is to be said of it: the given one, else the known one of the same content.

    Raises:
        TaskError: No known task has the digest that the run names.
    """
    info = run.header.task
    if given is not None:
        if given.digest == info.digest:
            return given, ""
        return given, f"The task {given.id} is not what it was when {run.header.cell_id} ran: its files differ."
    known = list(known)
    found = next((task for task in known if info.digest and task.digest == info.digest), None)
    if found is not None:
        return found, ""
    same_id = next((task for task in known if task.id == info.id), None)
    what = f"{same_id.path} has changed since" if same_id else f"no task here is {info.id!r} with the recorded content"
    raise TaskError(f"The task of this run cannot be found: {what}.", hint="Name its folder with --task DIR.")


def choose_plugins(run: RunView, given: Iterable[Plugin]) -> tuple[Plugin, ...]:
    """The plugins that the run had, by name, from those that are given. Raises UsageError where one is missing."""
    known = {plugin.name: plugin for plugin in given}
    if missing := [name for name in run.header.agent.plugins if name not in known]:
        raise UsageError(f"This run had the plugin {missing[0]!r}.", hint="Name the file that holds it with --plugins FILE.")
    return tuple(known[name] for name in run.header.agent.plugins)
