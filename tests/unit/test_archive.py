"""Tar streams from an untrusted agent: nothing is ever written outside, everything left out is reported."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cabtrace.errors import SandboxError
from cabtrace.limits import DEFAULT
from cabtrace.runner.sandbox.archive import Identity, Unpacked, pack, safe_parts, unpack

USER = Identity(1000, 1000)


def entry(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def build(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def in_pieces(data: bytes, size: int = 1000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def snapshot(folder: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = f"-> {path.readlink()}" if path.is_symlink() else "dir" if path.is_dir() else path.read_bytes()
    return found


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "victim").write_text("untouched")
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def unpack_all(data: bytes, target: Path, **options: object) -> Unpacked:
    return unpack(in_pieces(data), target, **options)  # type: ignore[arg-type]  # passed on as given


HOSTILE = {
    "dotdot": entry("box/../outside/victim"),
    "dotdot first": entry("../outside/victim"),
    "dotdot deep": entry("box/a/b/../../../../outside/victim"),
    "absolute": entry("/tmp/cabtrace-should-not-be-here"),
    "double slash": entry("//tmp/cabtrace-should-not-be-here"),
    "windows drive": entry("C:\\cabtrace-evil"),
    "windows climb": entry("box\\..\\..\\evil"),
    "symlink absolute": entry("box/link", tarfile.SYMTYPE, link="/etc/passwd"),
    "symlink climbing": entry("box/link", tarfile.SYMTYPE, link="../outside"),
    "symlink climbing in the middle": entry("box/link", tarfile.SYMTYPE, link="a/../../outside"),
    "symlink empty": entry("box/link", tarfile.SYMTYPE, link=""),
    "hardlink absolute": entry("box/link", tarfile.LNKTYPE, link="/etc/passwd"),
    "hardlink climbing": entry("box/link", tarfile.LNKTYPE, link="box/../../outside/victim"),
    "hardlink to nothing": entry("box/link", tarfile.LNKTYPE, link="box/none"),
    "fifo": entry("box/pipe", tarfile.FIFOTYPE),
    "character device": entry("box/null", tarfile.CHRTYPE),
    "block device": entry("box/disk", tarfile.BLKTYPE),
    "contiguous pretending": entry("box/../../outside/victim", tarfile.CONTTYPE),
    "name too long": entry("box/" + "n" * 300),
    "too deep": entry("box/" + "d/" * 300 + "f"),
    "the folder itself is a link": entry("box", tarfile.SYMTYPE, link="../outside"),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_entry_is_left_out_and_named_and_the_rest_arrives(hostile: tarfile.TarInfo, target: Path) -> None:
    content = b"evil" if hostile.isreg() else b""
    data = build((hostile, content), (entry("box/good.txt"), b"good"))

    done = unpack_all(data, target)

    assert snapshot(target) == {"good.txt": b"good"}
    assert (target.parent / "outside" / "victim").read_text() == "untouched"
    assert sorted(path.name for path in target.parent.iterdir()) == ["outside", "target"]
    assert not Path("/tmp/cabtrace-should-not-be-here").exists()
    assert done.skipped_count == 1
    assert done.skipped[0][1]


def test_a_write_through_a_planted_link_goes_nowhere(target: Path) -> None:
    data = build(
        (entry("box/l", tarfile.SYMTYPE, link="."), b""),
        (entry("box/l/x", tarfile.REGTYPE), b"through the link"),
        (entry("box/d", tarfile.DIRTYPE), b""),
        (entry("box/d/up", tarfile.SYMTYPE, link=".."), b""),
        (entry("box/d/up/y", tarfile.REGTYPE), b"through the link"),
    )

    done = unpack_all(data, target)

    assert snapshot(target) == {"l": "-> .", "d": "dir", "d/up": "-> .."}
    assert done.skipped_count == 2


def test_links_that_chain_out_are_refused(target: Path) -> None:
    # d/up is the top folder, so d/up/.. is outside, although its text stays inside.
    data = build(
        (entry("box/d/up", tarfile.SYMTYPE, link=".."), b""),
        (entry("box/out", tarfile.SYMTYPE, link="d/up/.."), b""),
        (entry("box/out/outside/victim"), b"evil"),
    )

    done = unpack_all(data, target)

    assert "out" not in snapshot(target) or not (target / "out").is_symlink()
    assert (target.parent / "outside" / "victim").read_text() == "untouched"
    assert ("box/out", "a link to the outside") in done.skipped


def test_a_second_name_for_a_link_is_refused(target: Path) -> None:
    # From three folders down the link stays inside; under the top folder it would not.
    data = build(
        (entry("box/a/b/l", tarfile.SYMTYPE, link="../../x"), b""),
        (entry("box/l2", tarfile.LNKTYPE, link="box/a/b/l"), b""),
    )

    done = unpack_all(data, target)

    assert not os.path.lexists(target / "l2")
    assert done.skipped == [("box/l2", "a hard link to something else than a file")]


def test_set_id_and_sticky_bits_do_not_come_out(target: Path) -> None:
    data = build((entry("box/su", mode=0o6755), b"#!"), (entry("box/d", tarfile.DIRTYPE, mode=0o3777), b""))

    unpack_all(data, target)

    assert stat.S_IMODE((target / "su").stat().st_mode) & 0o7000 == 0
    assert (target / "su").stat().st_mode & stat.S_IXUSR
    assert stat.S_IMODE((target / "d").stat().st_mode) & 0o7000 == 0


def test_harmless_links_and_hard_links_are_kept(target: Path) -> None:
    data = build(
        (entry("box/bin/tool"), b"x"),
        (entry("box/tool", tarfile.SYMTYPE, link="bin/tool"), b""),
        (entry("box/bin/same", tarfile.LNKTYPE, link="box/bin/tool"), b""),
    )

    done = unpack_all(data, target)

    assert snapshot(target) == {"bin": "dir", "bin/same": b"x", "bin/tool": b"x", "tool": "-> bin/tool"}
    assert done.skipped_count == 0


def test_caps_stop_reading_and_say_so(target: Path) -> None:
    many = build(*((entry(f"box/{n}"), b"x") for n in range(20)))

    done = unpack_all(many, target, limits=replace(DEFAULT, workspace_files=7))

    assert len(list(target.iterdir())) == 7
    assert done.cut_off == "more than 7 files"


def test_an_entry_over_the_size_cap_is_not_even_begun(target: Path) -> None:
    data = build((entry("box/small"), b"x" * 10), (entry("box/big"), b"x" * 5000))

    done = unpack_all(data, target, limits=replace(DEFAULT, workspace_bytes=1000))

    assert [path.name for path in target.iterdir()] == ["small"]
    assert done.cut_off == "more than 1000 bytes"


def test_a_stream_cut_anywhere_yields_whole_files_only(target: Path) -> None:
    contents = {f"f{n}": bytes([n]) * (n * 400) for n in range(1, 8)}
    data = build(*((entry(f"box/{name}"), content) for name, content in contents.items()))

    for end in range(0, len(data), 311):
        folder = target / str(end)
        folder.mkdir()
        try:
            unpack_all(data[:end], folder)
        except SandboxError:
            assert not list(folder.iterdir())
        for path in folder.iterdir():
            assert path.read_bytes() == contents[path.name]


def test_a_header_that_would_fill_memory_is_refused(target: Path) -> None:
    info = entry("box/x", tarfile.XHDTYPE)
    info.size = 1 << 33
    header = info.tobuf(tarfile.GNU_FORMAT)

    def endless() -> Iterator[bytes]:
        yield header
        for _ in range(64):
            yield bytes(65_536)
        pytest.fail("read on past the header")

    with pytest.raises(SandboxError):
        unpack(endless(), target)


def test_a_negative_size_ends_the_stream(target: Path) -> None:
    good = build((entry("box/good"), b"good"))[:1024]
    info = entry("box/bad")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 12  # base-256, -1
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)

    done = unpack_all(good + bytes(header) * 3, target)

    assert snapshot(target) == {"good": b"good"}
    assert "damaged" in done.cut_off


def test_a_sparse_file_is_left_out(target: Path) -> None:
    info = entry("box/holes")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "box/holes",
        "GNU.sparse.realsize": str(1 << 45),
    }
    data = build((info, b"0\n" + bytes(510)), (entry("box/good"), b"good"))

    done = unpack_all(data, target)

    assert snapshot(target) == {"good": b"good"}
    assert done.skipped_count == 1


def test_something_else_than_tar_is_one_clear_error(target: Path) -> None:
    with pytest.raises(SandboxError, match="no tar archive"):
        unpack_all(b"this is not a tar archive" * 100, target)


def test_bad_bytes_in_names_survive(target: Path) -> None:
    data = build((entry("box/\udcff\udcfe"), b"x"), format=tarfile.GNU_FORMAT)

    unpack_all(data, target)

    assert [os.fsencode(path.name) for path in target.iterdir()] == [b"\xff\xfe"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    name=st.text(alphabet="ab./\\:\0C", max_size=16),
    link=st.text(alphabet="ab./\\", max_size=12),
    kind=st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]),
)
def test_no_name_reaches_outside(name: str, link: str, kind: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.mktemp("fuzz")
    target = base / "target"
    target.mkdir()
    first = entry(f"box/{name}", kind, link=link)
    data = build((entry("box/a/b", tarfile.DIRTYPE), b""), (first, b""), (entry(f"box/{name}/a"), b"x"))

    unpack_all(data, target)

    assert [path.name for path in base.iterdir()] == ["target"]
    for path in target.rglob("*"):
        if path.is_symlink():
            assert Path(os.path.realpath(path)).is_relative_to(target.resolve())  # a loop of links is harmless


@pytest.mark.parametrize(
    ("name", "strip", "expected"),
    [("a/b/c", 1, ("b", "c")), ("./a//b/.", 0, ("a", "b")), ("a", 1, ()), ("a", 0, ("a",))],
)
def test_parts_of_a_good_name(name: str, strip: int, expected: tuple[str, ...]) -> None:
    assert safe_parts(name, strip) == (expected, "")


def test_pack_sanitises_owner_mode_and_kind(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o4755)
    (source / "sub" / "in").symlink_to("../run.sh")
    (source / "out").symlink_to("../../etc")
    (source / "absolute").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe")
    out = io.BytesIO()

    skipped = pack(source, out, prefix="/tests", identity=USER)

    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        members = {member.name: member for member in tar.getmembers()}
    assert set(members) == {"tests", "tests/run.sh", "tests/sub", "tests/sub/in"}
    assert {(member.uid, member.gid) for member in members.values()} == {(1000, 1000)}
    assert members["tests/run.sh"].mode == 0o755
    assert members["tests/sub/in"].linkname == "../run.sh"
    assert dict(skipped) == {"out": "a link to the outside", "absolute": "a link to the outside", "pipe": "not a regular file"}


def test_pack_then_unpack_is_the_same_folder(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "a" / "b").mkdir(parents=True)
    target.mkdir()
    (source / "a" / "b" / "blob").write_bytes(os.urandom(300_000))
    (source / "ünïcode \n name").write_text("x")
    (source / "a" / "link").symlink_to("b/blob")
    out = io.BytesIO()

    pack(source, out, prefix="/box", identity=USER)
    unpack_all(out.getvalue(), target)

    assert snapshot(target) == snapshot(source)


def test_a_file_that_shrinks_while_packed_does_not_spoil_the_rest(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "1-shrinks").write_bytes(b"x" * 2_000_000)
    (source / "2-after").write_text("after")

    class Shrinking(io.BytesIO):
        def write(self, data: object, /) -> int:
            os.truncate(source / "1-shrinks", 5)
            return super().write(data)  # type: ignore[arg-type]  # whatever tarfile writes

    out = Shrinking()
    pack(source, out, prefix="/box", identity=USER)
    unpack_all(out.getvalue(), target)

    assert (target / "2-after").read_text() == "after"


def test_overwrite_takes_the_place_of_files_and_links_but_never_follows_them(target: Path) -> None:
    (target / "f").write_text("old")
    (target / "l").symlink_to("../outside/victim")
    data = build((entry("box/f"), b"new"), (entry("box/l"), b"new"))

    unpack_all(data, target, overwrite=True)

    assert snapshot(target) == {"f": b"new", "l": b"new"}
    assert (target.parent / "outside" / "victim").read_text() == "untouched"
