"""Where the example tasks and model scripts are: in the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from cabtrace.errors import TaskError


def examples_folder() -> Path:
    """The folder that holds `tasks/` and `models/`. Raises TaskError."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_examples", package.parent / "examples"):
        if (folder / "tasks").is_dir():
            return folder
    raise TaskError("The example tasks are not installed with this cabtrace.", hint="Reinstall it from a wheel or a checkout.")


def example_task(name: str) -> Path:
    """The folder of an example task, such as `polyglot/python-error-handling`."""
    return examples_folder() / "tasks" / name


def example_script(name: str) -> Path:
    """The model script of an example task, by its last name."""
    return examples_folder() / "models" / f"{name}.toml"
