"""The house rules that a linter does not know."""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cabtrace", "replay", "exporters")
MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def lines_of(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_modules_are_small() -> None:
    sizes = {str(p.relative_to(ROOT)): lines_of(p) for p in MODULES}

    assert {name: size for name, size in sizes.items() if size > 400} == {}
    assert statistics.median(sizes.values()) <= 120


def test_importing_cabtrace_loads_nothing_heavy() -> None:
    code = "import cabtrace, cabtrace.cli.main, sys; print(' '.join(sorted(sys.modules)))"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())

    assert not loaded & {"textual", "docker", "opentelemetry.sdk", "aiohttp", "pydantic", "rich.console", "sqlite3"}


def test_nothing_happens_at_import() -> None:
    """Module level holds definitions, constants and imports only."""
    allowed = (
        ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.If, ast.Try,
    )  # fmt: skip
    found = []
    for path in MODULES:
        if path.name == "__main__.py":
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if not docstring and not isinstance(node, allowed):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert found == []


MARKUP_PARSERS = {"Static", "Label", "Button", "DataTable", "OptionList", "Collapsible", "TabPane"}


@pytest.mark.parametrize("path", [p for p in MODULES if "tui" in p.parts], ids=str)
def test_no_widget_is_given_text_that_it_would_parse(path: Path) -> None:
    """A str literal or f-string passed to a widget that parses markup needs `markup=False`, or must be a Content or Text."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKUP_PARSERS):
            continue
        plain = {k.arg: k.value for k in node.keywords}
        safe = isinstance(plain.get("markup"), ast.Constant) and plain["markup"].value is False
        if not safe and any(isinstance(a, ast.JoinedStr) for a in node.args):
            found.append(node.lineno)

    assert found == []
