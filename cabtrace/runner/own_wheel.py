"""A wheel of the very cabtrace that runs, whether it was installed from one, from a checkout or as an editable package."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from cabtrace.errors import SandboxError
from cabtrace.examples import examples_folder

_PACKAGES: Final = ("cabtrace", "replay", "exporters")
_EXAMPLES: Final = "cabtrace/_examples"
_METADATA: Final = ("METADATA", "entry_points.txt")
_LEFT_OUT: Final = frozenset({"__pycache__", "target", "node_modules", ".pytest_cache"})
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same content is the same file


def write_wheel(folder: Path) -> Path:
    """Writes `cabtrace-VERSION-py3-none-any.whl` into `folder`. Raises SandboxError where cabtrace is merely on the path."""
    try:
        installed = distribution("cabtrace")
    except PackageNotFoundError:
        raise SandboxError("cabtrace is not installed as a package, so that no wheel can be made of it.") from None
    info = f"cabtrace-{installed.version}.dist-info"
    target = folder / f"cabtrace-{installed.version}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        metadata = ((f"{info}/{name}", (installed.read_text(name) or "").encode(), False) for name in _METADATA)
        tags = b"Wheel-Version: 1.0\nGenerator: cabtrace\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        for name, data, program in (*_content(), *metadata, (f"{info}/WHEEL", tags, False)):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if program else 0o100644) << 16
            wheel.writestr(entry, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(data)}\n")
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD", _DATE), "".join([*record, f"{info}/RECORD,,\n"]))
    return target


def _content() -> Iterator[tuple[str, bytes, bool]]:
    root = Path(__file__).resolve().parents[2]
    examples = examples_folder()
    for package in _PACKAGES:
        yield from _files(root / package, package)
    if not (root / _EXAMPLES).is_dir():  # a checkout has them beside the package
        for part in ("tasks", "models"):
            yield from _files(examples / part, f"{_EXAMPLES}/{part}")


def _files(folder: Path, name: str) -> Iterator[tuple[str, bytes, bool]]:
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        if path.is_file() and not path.is_symlink() and not _LEFT_OUT & set(below.parts) and path.suffix != ".pyc":
            yield f"{name}/{below.as_posix()}", path.read_bytes(), bool(path.stat().st_mode & 0o100)
