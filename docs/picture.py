"""Makes docs/replay.svg: runs the demo and lets the replay itself export what it shows. `make picture`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from replay.tui.app import ReplayApp
from replay.tui.picture import as_picture

TARGET = Path(__file__).parent / "replay.svg"
SIZE = (140, 40)
MARKERS = 7  # so many markers in, there is something on the terminal and more to come


async def picture(store: Path, run: Path) -> str:
    """The replay's screen as SVG."""
    app = ReplayApp(store, run)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(1.0)
        await pilot.press("home", *["]"] * MARKERS, "c")
        await pilot.pause(0.5)
        return as_picture(app, "cabtrace replay @failed")


def main() -> int:
    """Runs the demo, takes the picture."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "CABTRACE_STORE": f"{folder}/store", "CABTRACE_SCRATCH": f"{folder}/scratch"}
        subprocess.run([sys.executable, "-m", "cabtrace", "demo", "--no-replay"], env=env, check=True, stdout=subprocess.DEVNULL)
        store = Path(folder) / "store"
        (failing,) = (p.parent for p in store.rglob("run.json") if "hasty" in str(p))
        TARGET.write_text(asyncio.run(picture(store, failing)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
