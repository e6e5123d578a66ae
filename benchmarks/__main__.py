"""`python -m benchmarks [NAME...]`: all of them, or those named. Each stands beside a peer or a bare baseline in the same run."""

import importlib
import pkgutil
import platform
import sys

import benchmarks


def main(names: list[str]) -> None:
    found = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_")]
    unknown = set(names) - set(found)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    print(f"# {platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}")
    for name in names or found:
        print(f"\n## {name}", flush=True)
        sys.argv = [name]  # options are for running one by itself
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
