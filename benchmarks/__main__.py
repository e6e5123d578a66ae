"""`python -m benchmarks [--quick] [NAME...]`: all of them, or those named; `python -m benchmarks NAME OPTIONS...`: one of them.

Each stands beside a peer or a bare baseline in the same run. With `--quick` all of them take minutes: small sizes, of which the
ratios still tell something; the goals are for the full ones.
"""

import importlib
import pkgutil
import platform
import sys
import time
import traceback

import benchmarks

# What makes each of them small; those that are not here are.
QUICK = {
    "cell_overhead": ["--seconds", "3"],
    "diagnose": ["--spans", "5000", "--cells", "20"],
    "export": ["--count", "2000", "--file-spans", "20001", "--many", "20000"],
    "first_frame": ["--runs", "3"],
    "import_otlp": ["--spans", "4001", "--many", "20001"],
    "proxy_latency": ["--calls", "100", "--streams", "20", "--chunks", "200", "--gib", "0.05"],
    "replay_peers": ["--steps", "1000", "--cast-mb", "5", "--live-steps", "1000", "--presses", "20", "--openings", "1"],
    "replay_scale": ["--turns", "500", "--presses", "20", "--terminal-mb", "2"],
    "spans": ["--count", "2000"],
    "terminal_seek": ["--megabytes", "5", "--positions", "50"],
}


def names_and_options(words: list[str], found: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Which to run, and each one's options. Exits where that is not clear."""
    quick = "--quick" in words
    words = [word for word in words if word != "--quick"]
    first_option = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    names, options = words[:first_option], words[first_option:]
    if unknown := set(names) - set(found):
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    if options and len(names) != 1:
        sys.exit("options are for one benchmark: its name comes first")
    return names or found, {name: (QUICK.get(name, []) if quick else []) + options for name in found}


def main(words: list[str]) -> int:
    found = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_")]
    names, options = names_and_options(words, found)
    print(f"# {platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}")
    if not words:
        print("# all of them: about half an hour; with --quick five minutes")
    began_s, failed = time.perf_counter(), []
    for number, name in enumerate(names, 1):
        print(f"\n## {name} ({number} of {len(names)}, {time.perf_counter() - began_s:.0f} s so far)", flush=True)
        sys.argv = [name, *options[name]]
        try:
            importlib.import_module(f"benchmarks.{name}").main()
        except Exception:  # noqa: BLE001 - the others can still be measured
            traceback.print_exc()
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
