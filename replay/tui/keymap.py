"""The user's keys: a TOML file of ids and keys, checked as a whole before any of it counts."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from cabtrace.errors import UsageError
from replay.tui.keys import TABLES, Key

Keymap = Mapping[str, tuple[str, ...]]  # id -> keys as Textual names them

_MOST_BYTES: Final = 256 * 1024
_MODIFIERS: Final = ("ctrl", "alt", "shift", "super", "meta", "hyper")
_HEAD: Final = """\
# Keys of the replay. Take the # away from a line and change what stands after the equals sign; a list gives several keys.
# A key is a character ("x", "?"), a name (space, enter, escape, tab, left, pageup, f5), or one with ctrl+, alt+ or shift+.
"""


def default_keymap_path() -> Path:
    """In the platform's directory for settings."""
    import platformdirs

    return platformdirs.user_config_path("cabtrace", appauthor=False) / "keymap.toml"


def load_keymap(path: Path, *, optional: bool = False) -> Keymap:
    """The keys of a file; none where it is optional and missing. Raises UsageError in one sentence."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise UsageError(f"The keymap {path} is larger than {_MOST_BYTES:,} bytes.")
        content = tomllib.loads(data.decode())
    except FileNotFoundError:
        if optional:
            return {}
        raise UsageError(f"There is no keymap {path}.", hint="`cabtrace replay --keymap-template` prints one.") from None
    except OSError as error:
        raise UsageError(f"The keymap {path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"The keymap {path} is not TOML: {error}.") from error
    return check_keymap(content, str(path))


def check_keymap(content: Mapping[str, Any], where: str) -> Keymap:
    """Ids and keys of a file's content. Raises UsageError for the first that makes no sense."""
    known = {key.id for table in TABLES.values() for key in table}
    found: dict[str, tuple[str, ...]] = {}
    for name, value in _flat(content):
        if name not in known:
            close = get_close_matches(name, known, 1)
            raise UsageError(
                f"The keymap {where} names {name[:80]!r}, which is no key's id.",
                hint=f"Did you mean {close[0]!r}?" if close else "`cabtrace replay --keymap-template` lists them.",
            )
        words = value if isinstance(value, list) else [value]
        if not words or not all(isinstance(word, str) for word in words):
            raise UsageError(f"The keymap {where} gives {name!r} no key: write a key, or a list of keys.")
        found[name] = tuple(dict.fromkeys(_key(word, name, where) for word in words))
    _no_clash(found, where)
    return found


def template() -> str:
    """A keymap that changes nothing: every id with its keys and what it does, as comments."""
    lines = [_HEAD]
    for title, table in TABLES.items():
        lines.append(f"# -- {title}\n")
        for key in table:
            names = key.keys.split(",")
            shown = f'"{names[0]}"' if len(names) == 1 else "[" + ", ".join(f'"{name}"' for name in names) + "]"
            lines.append(f'# "{key.id}" = {shown}  # {key.help}\n')
        lines.append("\n")
    return "".join(lines).rstrip() + "\n"


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names, as TOML reads them without quotes, are tables."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def _key(word: str, name: str, where: str) -> str:
    """A key as Textual names it. Raises UsageError."""
    text = word.strip() or word
    before, base = (text[:-2], "+") if text.endswith("++") or text == "+" else text.rpartition("+")[::2]
    prefix = before.lower().split("+") if before else []
    plain = _name(base) if len(base) == 1 else base.lower()
    if any(m not in _MODIFIERS for m in prefix) or not (plain in _known() or (len(base) == 1 and base.isalnum())):
        raise UsageError(
            f"The keymap {where} gives {name!r} the key {word[:40]!r}, which is none.",
            hint='Keys are characters such as "x", names such as "space" or "pageup", or these with "ctrl+".',
        )
    return "+".join([*prefix, plain])


def _name(character: str) -> str:
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


def _known() -> frozenset[str]:
    named = {key.value.rpartition("+")[2] for key in Keys if "<" not in key.value}
    return frozenset(named | {_name(chr(code)) for code in range(33, 127)})


def _no_clash(keymap: Keymap, where: str) -> None:
    for title, table in TABLES.items():
        taken: dict[str, Key] = {}
        for key in table:
            for name in keymap.get(key.id, key.keys.split(",")):
                other = taken.setdefault(name, key)
                if other is not key:
                    raise UsageError(
                        f"The keymap {where} gives {name!r} to both {other.id!r} and {key.id!r} ({title}).",
                        hint="Give one of them another key.",
                    )
