#!/usr/bin/env bash
# Takes readings.py and nothing else of the agent's folder, and runs our own tests against it.
set -u
workdir="${CABTRACE_WORKDIR:-$PWD}"
tests="${CABTRACE_TESTS:-/tests}"
logs="${CABTRACE_LOGS:-/logs/verifier}"

if ! command -v python3 >/dev/null; then
    echo "python3 is not installed" >&2
    exit 127
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cp "$tests/hidden_test.py" "$scratch/"
cp "$workdir/readings.py" "$scratch/" || exit 1

mkdir -p "$logs"
cd "$scratch" || exit 1
unset PYTHONPATH PYTHONSTARTUP
if python3 -B -s -m unittest -v hidden_test; then
    echo 1 >"$logs/reward.txt"
else
    echo 0 >"$logs/reward.txt"
    exit 1
fi
