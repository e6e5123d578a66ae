"""Whatever happens to a tree, the patch applied to a fresh copy gives that tree.

Two things that `git apply` itself cannot do are left out: a file in the place of a folder that holds no file (git knows
no such folder), and a folder in the place of a link that leads somewhere (it looks through the old link).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cabtrace.runner.workspace import Baseline

NAMES = st.sampled_from(["a", "b", "c d", 'q"', "ü", "n\nl", "x\\y", "-f", ".gitattributes", ".gitignore", "\udcff"])
CONTENTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"one\n", b"one\ntwo\n", b"one\r\ntwo", b"* -text\n*\n", b"\0\1" * 50, b"x\n" * 500]),
)
LEAVES = st.one_of(
    st.tuples(st.just("file"), CONTENTS),
    st.tuples(st.just("program"), CONTENTS),
    st.tuples(st.just("link"), st.sampled_from([b"../outside", b"nowhere", b"no/where"])),
)
TREES = st.recursive(LEAVES, lambda children: st.dictionaries(NAMES, children, max_size=4), max_leaves=8)
FOLDERS = st.dictionaries(NAMES, TREES, max_size=5)


def write(folder: Path, tree: dict[str, object]) -> None:
    for name, node in tree.items():
        path = folder / name
        if isinstance(node, dict):
            write(path, node)
            continue
        assert isinstance(node, tuple)
        kind, content = node
        folder.mkdir(parents=True, exist_ok=True)
        if kind == "link":
            path.symlink_to(os.fsdecode(content))
        else:
            path.write_bytes(content)
            path.chmod(0o755 if kind == "program" else 0o644)


def read(folder: Path) -> dict[Path, tuple[str, bytes]]:
    found = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            found[path.relative_to(folder)] = ("link", os.fsencode(path.readlink()))
        elif path.is_file():
            kind = "program" if path.stat().st_mode & 0o100 else "file"
            found[path.relative_to(folder)] = (kind, path.read_bytes())
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=FOLDERS, after=FOLDERS)
def test_the_patch_is_what_happened(before: dict[str, object], after: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in ("before", "after"):
            (root / folder).mkdir()
        write(root / "before", before)
        write(root / "after", after)
        shutil.copytree(root / "before", root / "fresh", symlinks=True)

        changes = Baseline.take(root / "before", root / "git").diff(root / "after")

        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": name, "GIT_CONFIG_GLOBAL": os.devnull}
        applied = subprocess.run(
            ["git", "apply", "--allow-empty", "-"],
            cwd=root / "fresh",
            input=changes.patch,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert applied.returncode == 0, applied.stderr.decode()
        assert read(root / "fresh") == read(root / "after")
        assert not changes.cut
        count = len(changes.added) + len(changes.removed) + len(changes.modified)
        paths_before, paths_after = read(root / "before"), read(root / "after")
        differ = {p for p in paths_before | paths_after if paths_before.get(p) != paths_after.get(p)}
        assert count == len(differ)
