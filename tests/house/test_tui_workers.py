"""The app's workers post messages, and touch neither widgets nor the state of a screen: only the app's own thread may."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TUI = Path(__file__).parents[2] / "replay" / "tui"
Method = ast.FunctionDef | ast.AsyncFunctionDef


def workers(source: str) -> Iterator[tuple[Method, dict[str, Method]]]:
    """Each method with `@work`, and all methods of its class."""
    for found in ast.walk(ast.parse(source)):
        if isinstance(found, ast.ClassDef):
            methods = {node.name: node for node in found.body if isinstance(node, Method)}
            for method in methods.values():
                if any("work" in ast.unparse(decorator) for decorator in method.decorator_list):
                    yield method, methods


def complaints(method: Method, methods: dict[str, Method]) -> Iterator[str]:
    """What a worker does that it must not, itself or by a method that it calls."""
    for node in ast.walk(method):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store | ast.Del)
            and ast.unparse(node).startswith("self.")
        ):
            yield f"{method.name} sets {ast.unparse(node)}"
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"):
            continue
        if node.attr in ("app", "screen", "parent", "children") or node.attr.startswith("query"):
            yield f"{method.name} looks at self.{node.attr}"
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "self":
            name = node.func.attr
            if name in methods and name != method.name:
                yield from complaints(methods[name], methods)
            elif name != "post_message" and not name[0].isupper():
                yield f"{method.name} calls self.{name}"


@pytest.mark.parametrize("path", sorted(TUI.rglob("*.py")), ids=lambda path: str(path.relative_to(TUI)))
def test_workers_only_post_messages(path: Path) -> None:
    found = list(workers(path.read_text("utf-8")))

    assert [complaint for worker in found for complaint in complaints(*worker)] == []
    assert all("thread=True" in ast.unparse(method.decorator_list[0]) for method, _ in found)


def test_the_workers_are_found() -> None:
    names = {method.name for path in TUI.rglob("*.py") for method, _ in workers(path.read_text("utf-8"))}

    assert {"load_tapes", "find_passing", "find_path"} <= names


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("self.post_message(self.Done(1))", None),
        ("self.query_one(Pane).show(1)", "run looks at self.query_one"),
        ("self.app.exit()", "run looks at self.app"),
        ("self.busy = False", "run sets self.busy"),
        ("self.session.row += 1", "run sets self.session.row"),
        ("self.refresh()", "run calls self.refresh"),
        ("self.helper()", "helper calls self.draw"),
    ],
)
def test_what_a_worker_must_not_do_is_noticed(body: str, complaint: str | None) -> None:
    source = f"class S:\n @work(thread=True)\n def run(self):\n  {body}\n def helper(self):\n  self.draw()\n"
    ((method, methods),) = workers(source)

    found = list(complaints(method, methods))

    assert complaint in found if complaint else found == []
