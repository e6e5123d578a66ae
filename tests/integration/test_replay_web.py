"""`cabtrace replay --web`: the app in a browser, for whoever has the address and nobody else."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cabtrace.cli.main import main
from cabtrace.store.reader import read_header
from tests.support.sample_run import build_sample_run

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve", reason="cabtrace[web] is not installed")

PATIENCE_S = 120.0
_CHROMIUM = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --remote-debugging-port=0 --window-size=1400,900"
)


@contextmanager
def served(store: Path, *more: str) -> Iterator[str]:
    argv = [sys.executable, "-m", "cabtrace.cli.main", "replay", "--store", str(store), "--web", *more]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            assert process.poll() is None
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0


def test_only_the_address_that_was_printed_is_answered(tmp_path: Path):
    run = build_sample_run(tmp_path)

    async def script(url: str) -> None:
        base, token = url.rstrip("/").rsplit("/", 1)
        assert len(token) >= 32
        assert base.startswith("http://127.0.0.1:")
        refused: list[tuple[str, dict[str, str]]] = [
            (f"{base}/", {}),
            (f"{base}/static/js/textual.js", {}),
            (f"{base}/ws", {}),
            (f"{base}/{token[:-1]}{'a' if token[-1] != 'a' else 'b'}/", {}),
            (url, {"Host": "evil.example"}),
            (url, {"Origin": "http://evil.example"}),
            (f"{url}ws", {"Origin": "http://evil.example"}),
            (f"{url}ws", {"Origin": "null"}),
        ]
        async with aiohttp.ClientSession() as session:
            for address, headers in refused:
                async with session.get(address, headers=headers) as response:
                    assert response.status == 403, address
            async with session.post(url) as response:
                assert response.status == 405
            async with session.get(url) as response:
                assert response.status == 200
                assert "connect-src 'self'" in response.headers["Content-Security-Policy"]
                assert response.headers["Referrer-Policy"] == "no-referrer"
                page = await response.text()
                assert f"<title>cabtrace: {read_header(run).title}</title>" in page
                assert "Restart opens it again" in page
                assert "googleapis" not in page
                assert 'viewBox="0 0 2933 2261"' not in page
            with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
                await session.ws_connect(f"{url}ws", headers={"Origin": "http://evil.example"})
            assert raised.value.status == 403

    with served(tmp_path, str(run)) as url:
        asyncio.run(script(url))


def test_the_app_comes_through_the_socket_and_hears_keys(tmp_path: Path):
    run = build_sample_run(tmp_path)

    async def script(url: str) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}ws?width=120&height=40") as socket:
            await read_until(socket, b"00:20.901")
            await socket.send_json(["stdin", "0"])
            await read_until(socket, b"00:00.000")
            await socket.send_json(["stdin", "q"])
            async with asyncio.timeout(PATIENCE_S):
                async for _ in socket:
                    pass

    with served(tmp_path, str(run), "--error") as url:
        asyncio.run(script(url))


async def read_until(socket: Any, text: bytes) -> None:
    seen = b""
    async with asyncio.timeout(PATIENCE_S):
        while text not in seen:
            message = await socket.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
            seen += message.data if isinstance(message.data, bytes) else message.data.encode()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_real_browser_shows_it_and_asks_no_other_host(tmp_path: Path):
    run = build_sample_run(tmp_path / "store")
    profile = tmp_path / "profile"
    argv = ["chromium", *_CHROMIUM.split(), f"--user-data-dir={profile}", "about:blank"]
    with (
        served(tmp_path / "store", str(run)) as url,
        subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True) as browser,
    ):
        try:
            asked, blocked, picture = asyncio.run(browse(profile / "DevToolsActivePort", url))
        finally:
            os.killpg(browser.pid, signal.SIGTERM)
    assert url in asked
    assert {address for address in asked if not address.startswith(url.rsplit("/", 2)[0])} <= blocked
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 40_000  # the replay; textual-serve's waiting page alone is a third of that


async def browse(port_file: Path, url: str) -> tuple[set[str], set[str], bytes]:
    """Addresses that the page asked for, those of them that its policy blocked, and a picture once the app was drawn."""
    until = time.monotonic() + PATIENCE_S
    while not port_file.is_file() or not port_file.read_text():
        assert time.monotonic() < until
        await asyncio.sleep(0.1)
    port = port_file.read_text().split()[0]
    asked: dict[str, str] = {}
    blocked: set[str] = set()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json") as response:
            page = next(target for target in await response.json() if target["type"] == "page")
        async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            number = 0

            async def call(method: str, **params: Any) -> dict[str, Any]:
                nonlocal number
                number += 1
                await socket.send_json({"id": number, "method": method, "params": params})
                while True:
                    said = json.loads((await socket.receive()).data)
                    params = said.get("params", {})
                    if said.get("method") == "Network.requestWillBeSent":
                        asked[params["requestId"]] = params["request"]["url"]
                    elif said.get("method") == "Network.loadingFailed" and params.get("blockedReason") == "csp":
                        blocked.add(asked[params["requestId"]])
                    elif said.get("id") == number:
                        return dict(said.get("result", {}))

            for method in ("Network.enable", "Page.enable"):
                await call(method)
            await call("Page.navigate", url=url)
            while "-first-byte" not in str(await call("Runtime.evaluate", expression="document.body.className")):
                assert time.monotonic() < until
                await asyncio.sleep(0.2)
            picture = b""
            while len(picture) <= 40_000 and time.monotonic() < until:
                await asyncio.sleep(0.5)
                picture = base64.b64decode((await call("Page.captureScreenshot"))["data"])
    return set(asked.values()), blocked, picture


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--web", "--plain"], "exclude each other"),
        (["--port", "8000"], "--port is for --web"),
        (["--web", "nowhere"], "nowhere"),
    ],
)
def test_what_does_not_go_together_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str):
    build_sample_run(tmp_path)
    assert main(["replay", "--store", str(tmp_path), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    assert main(["replay", "--store", str(tmp_path), "--web"]) == 2
    assert "pip install 'cabtrace[web]'" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["replay", "--store", str(tmp_path), "--web", "--port", str(taken.getsockname()[1])]) == 2
    assert "is taken" in capsys.readouterr().err
