"""Whether structured data certainly holds no secret: all of its strings looked through as one text, its keys known from before.

Nearly every record is clean. Where this is in doubt, `structure` looks at each string by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cabtrace.redaction.names import strength

_MOST_KEYS: Final = 4_096
_LONGEST_KEY: Final = 128
_MAX_DEPTH: Final = 100
_CARRIERS: Final = frozenset({"value", "stringValue"})  # keys of OTLP, whose content has its name elsewhere
_BETWEEN: Final = " "  # whatever is found in a part is found in the whole, whatever stands between


class Harmless:
    """For one set of known values. Remembers which keys are harmless, up to a number of them."""

    def __init__(self, clean: Callable[[str], bool]) -> None:
        """`clean` tells whether there is certainly nothing to hide in a text; of none that holds a dirty one may it say so."""
        self._clean = clean
        self._keys: set[str] = set()

    def all(self, *values: Any) -> bool:  # JSON-like data
        """Whether redacting these values certainly changes and counts nothing."""
        texts: list[str] = []
        for value in values:
            if type(value) is str:
                texts.append(value)
            elif not self._gather(value, texts, 0):
                return False
        return self._clean(_BETWEEN.join(texts))

    def _gather(self, value: Any, texts: list[str], depth: int) -> bool:  # JSON-like data
        if isinstance(value, str):
            texts.append(value)
            return True
        if isinstance(value, dict):
            keys = self._keys
            for key, item in value.items():
                if key not in keys and not self._is_harmless(key):
                    return False
                if type(item) is str:
                    texts.append(item)
                elif type(item) is not int and not (depth < _MAX_DEPTH and self._gather(item, texts, depth + 1)):
                    return False
            return True
        if isinstance(value, list | tuple):
            if len(value) == 2 and isinstance(value[0], str) and strength(value[0]):  # it may be a header as a pair
                return False
            return all(depth < _MAX_DEPTH and self._gather(item, texts, depth + 1) for item in value)
        return value is None or isinstance(value, bool | int | float | bytes)

    def _is_harmless(self, key: object) -> bool:
        if not isinstance(key, str) or len(key) > _LONGEST_KEY or key in _CARRIERS or strength(key) or not self._clean(key):
            return False
        if len(self._keys) >= _MOST_KEYS:
            self._keys.clear()
        self._keys.add(key)
        return True
