"""`cabtrace export` and `cabtrace outbox` as a user has them."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cabtrace.cli.main import cli, main
from exporters.registry import exporter_names
from tests.support.otlp_receiver import OK, Misbehaviour, Receiver
from tests.support.sample_run import build_sample_run


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [n for n in os.environ if n.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    build_sample_run(tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "store"


def cabtrace(*argv: str) -> Result:
    return CliRunner().invoke(cli, list(argv), standalone_mode=False)


@pytest.mark.parametrize("name", exporter_names())
def test_every_format_writes_a_file_and_will_not_overwrite_it(store: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    argv = ["export", name, "@last", "--store", str(store), "-o", "out"]

    assert main(argv) == 0
    first = Path("out").read_bytes()
    assert len(first) > 100
    Path("out").write_bytes(b"mine")
    assert main(argv) == 2
    assert Path("out").read_bytes() == b"mine"
    assert "--force" in capsys.readouterr().err
    assert main([*argv, "--force"]) == 0
    assert Path("out").read_bytes() == first
    assert [p.name for p in Path().iterdir() if p.name not in ("store", "out")] == []


def test_a_dash_is_standard_output_and_no_name_is_one_made_up(store: Path) -> None:
    piped = subprocess.run(
        [sys.executable, "-m", "cabtrace.cli.main", "export", "markdown", "@last", "--store", str(store), "-o", "-"],
        capture_output=True, check=True,
    )  # fmt: skip

    assert piped.stdout.startswith(b"# ")
    assert main(["export", "markdown", "@last", "--store", str(store)]) == 0
    (made,) = Path().glob("*.md")
    assert made.read_bytes() == piped.stdout


def test_a_failed_write_leaves_nothing(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "markdown", "@last", "--store", str(store), "-o", "nowhere/out"]) == 3
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["export"], ["export", "marktdown", "@last"], ["export", "--resume", "markdown", "@last"]])
def test_wrong_words_are_usage_errors(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(shutil.which("asciinema") is None, reason="asciinema is not installed")
def test_asciinema_plays_what_was_exported(store: Path, tmp_path: Path) -> None:
    assert main(["export", "asciicast", "@last", "--store", str(store), "-o", "out.cast"]) == 0
    status: list[int] = []
    pid, fd = pty.fork()  # `asciinema cat` wants a terminal of its own
    if pid == 0:
        os.execvp("asciinema", ["asciinema", "cat", "out.cast"])
    shown = b""
    while True:
        try:
            piece = os.read(fd, 65_536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    status.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os.close(fd)

    assert status == [0]
    assert b"Traceback" not in shown
    assert len(shown) > 500


def test_sending_waiting_and_resuming(store: Path) -> None:
    down = [True]
    with Receiver(lambda *_: Misbehaviour(503, body=b"not now \x1b[31m") if down[0] else OK) as receiver:
        argv = ["export", "otlp", "@last", "--store", str(store), "--endpoint", receiver.url, "--patience", "0"]
        first = cabtrace(*argv)
        listed = cabtrace("outbox", "--store", str(store))
        again = cabtrace("export", "--resume", "--patience", "0", "--store", str(store))
        down[0] = False
        resumed = cabtrace("export", "--resume", "--patience", "0", "--store", str(store))
        empty = cabtrace("outbox", "--store", str(store))

    assert first.return_value == 3
    assert "0 delivered, 0 rejected" in first.output
    assert "not now" in first.output
    assert "\x1b" not in first.output
    assert "cabtrace export --resume" in first.output
    assert receiver.url in listed.output
    assert again.return_value == 3
    assert resumed.return_value == 0, resumed.output
    assert "0 waiting" in resumed.output
    assert set(receiver.span_ids.values()) == {1}
    assert "empty" in empty.output


def test_header_values_are_never_kept(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cr3t-value")
    with Receiver(lambda *_: Misbehaviour(503)) as receiver:
        cabtrace("export", "otlp", "@last", "--store", str(store), "--endpoint", receiver.url, "--patience", "0")
        assert receiver.headers[0]["authorization"] == "Bearer s3cr3t-value"
        kept = b"".join(p.read_bytes() for p in (store / ".outbox").iterdir())
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_HEADERS")
        refused = cabtrace("export", "--resume", "--patience", "0", "--store", str(store))

    assert b"s3cr3t" not in kept
    assert refused.return_value == 2
    assert "authorization" in refused.output
    assert "OTEL_EXPORTER_OTLP_HEADERS" in refused.output


def test_rejected_spans_make_exit_code_1(store: Path) -> None:
    with Receiver(lambda *_: Misbehaviour(rejected=2, message="too old")) as receiver:
        result = cabtrace("export", "otlp", "@last", "--store", str(store), "--endpoint", receiver.url)

    assert result.return_value == 1
    assert "2 rejected" in result.output
    assert "too old" in result.output


def test_the_outbox_can_be_emptied(store: Path) -> None:
    with Receiver(lambda *_: Misbehaviour(403)) as receiver:
        cabtrace("export", "otlp", "@last", "--store", str(store), "--endpoint", receiver.url)

    assert cabtrace("outbox", "--store", str(store), "--drop").return_value == 0
    assert "empty" in cabtrace("outbox", "--store", str(store)).output
