"""Docs that can be checked are."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT)

    assert done.returncode == 0, "run `python docs/generate.py`"


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        broken += [f"{page.relative_to(ROOT)}: {t}" for t in targets if "://" not in t and not (page.parent / t).exists()]

    assert broken == []


def test_decisions_fit_on_a_page() -> None:
    long = {p.name: n for p in (ROOT / "docs" / "adr").glob("*.md") if (n := len(p.read_text("utf-8").splitlines())) > 60}

    assert long == {}
