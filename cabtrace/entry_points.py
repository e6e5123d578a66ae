"""What other packages bring by entry points, beside our own, which is there without being installed."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Generic, TypeVar, cast

from cabtrace.errors import CabtraceError, UsageError

PLUGINS_VARIABLE: Final = "CABTRACE_PLUGINS"
_OURS: Final = "cabtrace"

T = TypeVar("T")


def plugins(group: str, environ: Mapping[str, str] = os.environ) -> dict[str, EntryPoint]:
    """The entry points of a group by name, in alphabetical order; none of them is loaded.

    `CABTRACE_PLUGINS` (names, separated by commas; may be empty) restricts which ones of other packages there are.
    """
    allowed = environ.get(PLUGINS_VARIABLE)
    names = None if allowed is None else {part.strip() for part in allowed.split(",")}
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        if names is None or entry.name in names or origin(entry) == _OURS:
            found.setdefault(entry.name, entry)
    return dict(sorted(found.items()))


def origin(entry: EntryPoint) -> str:
    """The distribution that brings it."""
    return entry.dist.name if entry.dist is not None else entry.value


@dataclass(frozen=True, slots=True)
class Registry(Generic[T]):
    """Things by name: `built_in` (`module:attribute`; nobody takes their names) and those of a group of entry points.

    `kind` is what one of them is called in sentences; `unknown` is raised for a name that nothing has.
    """

    group: str
    kind: str
    built_in: Mapping[str, str]
    unknown: type[CabtraceError] = UsageError

    def names(self, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
        """The built-in ones first, then others in alphabetical order. Loads none of them."""
        return (*self.built_in, *(name for name in plugins(self.group, environ) if name not in self.built_in))

    def find(self, name: str, environ: Mapping[str, str] = os.environ) -> T:
        """A new one of that name. Raises `unknown`, and UsageError where a plug-in cannot be loaded."""
        if name in self.built_in:
            module, _, attribute = self.built_in[name].partition(":")
            return cast("T", getattr(import_module(module), attribute)())
        found = plugins(self.group, environ).get(name)
        if found is None:
            known = self.names(environ)
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise self.unknown(f"There is no {self.kind} named {name!r}.", hint=f"{meant}Known are: {', '.join(known)}.")
        try:
            return cast("T", found.load()())
        except Exception as error:  # a plug-in may raise anything
            raise UsageError(
                f"The {self.kind} {name!r} of {origin(found)} cannot be loaded: {type(error).__name__}: {error}.",
                hint=f"Repair or remove that package, or leave it out with {PLUGINS_VARIABLE}.",
            ) from error
